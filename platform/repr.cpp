#include <asyncore/platform/repr.hpp>

namespace asyncore::platform {

namespace {

std::string quoted(std::string_view text, bool ascii) {
    constexpr char digits[] = "0123456789abcdef";
    // Double quotes spare the escape of single ones.
    const bool doubled = text.find('\'') != text.npos && text.find('"') == text.npos;
    const char quote = doubled ? '"' : '\'';
    std::string out(1, quote);
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (c == quote || c == '\\') out += {'\\', c};
        else if (c == '\r') out += "\\r";
        else if (c == '\n') out += "\\n";
        else if (c == '\t') out += "\\t";
        else if (code < 0x20 || code == 0x7f || (ascii && code > 0x7f))
            out += {'\\', 'x', digits[code >> 4], digits[code & 15]};
        else out += c;
    }
    return out + quote;
}

}  // namespace

std::string str_repr(std::string_view text) { return quoted(text, false); }

std::string bytes_repr(std::string_view bytes) { return "b" + quoted(bytes, true); }

}  // namespace asyncore::platform
