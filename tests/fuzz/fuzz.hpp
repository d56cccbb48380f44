// What the fuzz targets share: decisions read from the input, and a check that ends the process.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

namespace fuzz {

[[noreturn]] inline void fail(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::abort();
}

/// Reads decisions from the bytes of an input, and zeros when the bytes are used up.
class decisions {
public:
    decisions(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
    bool left() const { return !rest_.empty(); }
    unsigned next() {
        if (!left()) return 0;
        const unsigned byte = rest_.front();
        rest_ = rest_.subspan(1);
        return byte;
    }
    /// From `first` to `last`.
    unsigned next(unsigned first, unsigned last) { return first + next() % (last - first + 1); }
    /// A text of `count` letters out of a, b and c.
    std::string letters(unsigned count) {
        std::string text;
        while (text.size() < count) text += static_cast<char>('a' + next() % 3);
        return text;
    }

private:
    std::span<const std::uint8_t> rest_;
};

inline void check_same(std::string_view what, const std::string& model, const std::string& ours) {
    if (model == ours) return;
    // The texts may be long: they are shown to the end of the line in which they begin to differ.
    const auto differs = std::mismatch(model.begin(), model.end(), ours.begin(), ours.end());
    const auto at = static_cast<std::size_t>(differs.first - model.begin());
    const auto shown = [at](const std::string& text) {
        return text.substr(0, text.find('\n', at));
    };
    fail(std::string(what) + "\n  model: " + shown(model) + "\n  ours:  " + shown(ours));
}

}  // namespace fuzz

/// The target, under the name that libFuzzer wants.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
