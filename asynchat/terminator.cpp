#include <asynchat/terminator.hpp>

#include <algorithm>

namespace asynchat {

namespace {

/// The longest proper prefix of text[0..n] that is also its suffix, for each n.
std::vector<std::uint32_t> borders_of(std::string_view text) {
    std::vector<std::uint32_t> borders(text.size(), 0);
    std::uint32_t length = 0;
    for (std::size_t n = 1; n < text.size(); ++n) {
        while (length > 0 && text[n] != text[length]) length = borders[length - 1];
        if (text[n] == text[length]) ++length;
        borders[n] = length;
    }
    return borders;
}

}  // namespace

void terminator_t::set(std::string_view delimiter) {
    short_delimiter in_place{{}, static_cast<std::uint8_t>(delimiter.size())};
    if (delimiter.size() > in_place.bytes.size()) {
        value_ = std::make_unique<long_delimiter>(
            long_delimiter{std::string(delimiter), borders_of(delimiter)});
        return;
    }
    std::copy(delimiter.begin(), delimiter.end(), in_place.bytes.begin());
    value_ = in_place;
}

terminator_t::terminator_t(const terminator_t& other) {
    if (other.is_number()) *this = terminator_t(other.number());
    else if (other.is_delimiter()) *this = terminator_t(other.delimiter());
}

terminator_t& terminator_t::operator=(terminator_t other) noexcept {
    value_ = std::move(other.value_);
    return *this;
}

bool operator==(const terminator_t& a, const terminator_t& b) noexcept {
    return a.is_none() == b.is_none() && a.is_number() == b.is_number() &&
           a.number() == b.number() && a.delimiter() == b.delimiter();
}

terminator_t::match terminator_t::find_long(long_delimiter& wanted, std::string_view buffer,
                                            std::size_t left_over) {
    // The bytes that the last call left over had matched, unless the buffer was edited since.
    const auto same = std::string_view(wanted.bytes).substr(0, left_over);
    auto matched = left_over == wanted.matched && buffer.starts_with(same) ? left_over : 0;
    for (auto at = matched; at < buffer.size(); ++at) {
        while (matched > 0 && buffer[at] != wanted.bytes[matched])
            matched = wanted.borders[matched - 1];
        if (buffer[at] == wanted.bytes[matched]) ++matched;
        if (matched < wanted.bytes.size()) continue;
        wanted.matched = 0;
        return {at + 1 - matched, true};
    }
    wanted.matched = matched;
    return {buffer.size() - matched, false};
}

std::size_t find_prefix_at_end(std::string_view haystack, std::string_view needle) {
    if (needle.empty()) return 0;
    auto length = std::min(needle.size() - 1, haystack.size());
    while (length > 0 && !haystack.ends_with(needle.substr(0, length))) --length;
    return length;
}

}  // namespace asynchat
