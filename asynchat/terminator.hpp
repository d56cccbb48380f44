// The end of a message: what ends it, and where that stands in the bytes.  Python: None, an int or bytes.
#pragma once

#include <asyncore/literal.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace asynchat {

/// For set_terminator(): no terminator.  Python: None.
struct none_t {
    friend bool operator==(none_t, none_t) noexcept { return true; }
};
inline constexpr none_t none;

/// Nothing, a number of bytes, or a delimiter.
///
/// A short delimiter lies in this object, so a connection holds sixteen bytes for its terminator.  A
/// long delimiter remembers how much of it has arrived, so a delimiter that trickles in byte by byte is
/// compared once, and not once for each byte.
class terminator_t {
public:
    terminator_t() noexcept = default;
    terminator_t(none_t) noexcept {}
    terminator_t(std::nullptr_t) = delete;  // Python's None is asynchat::none
    terminator_t(char) = delete;            // a delimiter of one byte is a string
    terminator_t(bool) = delete;
    /// Throws: std::invalid_argument for a number that std::ptrdiff_t cannot hold.
    template <std::integral Integer>
    terminator_t(Integer count) : value_(static_cast<std::ptrdiff_t>(count)) {
        if (!std::in_range<std::ptrdiff_t>(count))
            throw std::invalid_argument("a terminator of more bytes than there can be");
    }
    template <std::convertible_to<std::string_view> Bytes>
    terminator_t(const Bytes& delimiter) {
        set(delimiter);
    }
    /// A literal is all its bytes: "\0" is a delimiter of one byte.
    template <asyncore::character Char, std::size_t N>
    terminator_t(Char (&array)[N]) {
        set(asyncore::bytes_of(array));
    }
    terminator_t(const terminator_t& other);
    // NOLINTNEXTLINE(bugprone-exception-escape): no alternative throws when it is moved.
    terminator_t(terminator_t&& other) noexcept : value_(std::exchange(other.value_, none)) {}
    terminator_t& operator=(terminator_t other) noexcept;

    bool is_none() const noexcept { return std::holds_alternative<none_t>(value_); }
    bool is_number() const noexcept { return std::holds_alternative<std::ptrdiff_t>(value_); }
    bool is_delimiter() const noexcept { return !is_none() && !is_number(); }
    /// Python: `if terminator`: false for None, 0 and b''.
    explicit operator bool() const noexcept { return number() != 0 || !delimiter().empty(); }

    /// The number of bytes; 0 if this is no number.
    std::ptrdiff_t number() const noexcept {
        const auto* count = std::get_if<std::ptrdiff_t>(&value_);
        return count ? *count : 0;
    }
    /// Empty if this is no delimiter.  Valid until this object is assigned to.
    std::string_view delimiter() const noexcept {
        if (const auto* in_place = std::get_if<short_delimiter>(&value_))
            return {in_place->bytes.data(), in_place->size};
        if (const auto* on_heap = std::get_if<std::unique_ptr<long_delimiter>>(&value_))
            return (*on_heap)->bytes;
        return {};
    }

    friend bool operator==(const terminator_t& a, const terminator_t& b) noexcept;

    /// Where the delimiter, or the beginning of it, stands in a buffer.
    struct match {
        std::size_t index;  // how many bytes stand before the delimiter, or before its beginning
        bool whole;         // false: the bytes from `index` on are its beginning, if there are any
    };
    /// Finds the first delimiter in `buffer`, or the beginning of a delimiter at the end of `buffer`.  This
    /// object must be a delimiter that is not empty.  `left_over`: how many bytes at the front of
    /// `buffer` are what the last call found as the beginning.
    match find_in(std::string_view buffer, std::size_t left_over) {
        if (auto* on_heap = std::get_if<std::unique_ptr<long_delimiter>>(&value_))
            return find_long(**on_heap, buffer, left_over);
        return find_short(delimiter(), buffer);
    }

private:
    struct short_delimiter {
        std::array<char, 7> bytes;
        std::uint8_t size;
    };
    /// For the search of Knuth, Morris and Pratt, which can stop after any byte and go on later.
    struct long_delimiter {
        std::string bytes;
        std::vector<std::uint32_t> borders;  // [n]: the longest border of the first n + 1 bytes
        std::size_t matched = 0;             // how many of `bytes` the last buffer ended with
    };

    void set(std::string_view delimiter);
    static match find_short(std::string_view wanted, std::string_view buffer) {
        for (auto at = buffer.find(wanted[0]); at != buffer.npos;
             at = buffer.find(wanted[0], at + 1)) {
            std::size_t same = 1;
            while (same < wanted.size() && at + same < buffer.size() &&
                   buffer[at + same] == wanted[same])
                ++same;
            if (same == wanted.size() || at + same == buffer.size())
                return {at, same == wanted.size()};
        }
        return {buffer.size(), false};
    }
    static match find_long(long_delimiter& wanted, std::string_view buffer, std::size_t left_over);

    std::variant<none_t, std::ptrdiff_t, short_delimiter, std::unique_ptr<long_delimiter>> value_;
};

/// The length of the longest end of `haystack` that is a beginning of `needle`, and not all of it.
/// find_prefix_at_end("qwerty\r", "\r\n") is 1.  The parser has terminator_t::find_in() for this.
std::size_t find_prefix_at_end(std::string_view haystack, std::string_view needle);

}  // namespace asynchat
