// How the examples read their command lines.
#pragma once

#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>

/// The words of a command line, from the first to the last.
class command_line {
public:
    command_line(int argc, char** argv) : next_(argv + 1), end_(argv + argc) {}

    bool empty() const { return next_ == end_; }
    /// Takes the next word.  Not for an empty command line.
    std::string_view take() { return *next_++; }
    /// Takes the next word, which is the value of `option`.
    /// Throws: std::invalid_argument if there is no word left.
    std::string_view take_value_of(std::string_view option) {
        if (empty()) throw std::invalid_argument(std::string(option) + " needs a value");
        return take();
    }

private:
    char** next_;
    char** end_;
};

/// Throws: std::invalid_argument if `text` is not a number in decimal that fits into a Number.
template <class Number>
Number number(std::string_view text) {
    Number value{};
    const auto end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stopped != end)
        throw std::invalid_argument("not a number in range: " + std::string(text));
    return value;
}

[[noreturn]] inline void refuse_word(std::string_view word) {
    throw std::invalid_argument("this argument is not known: " + std::string(word));
}
