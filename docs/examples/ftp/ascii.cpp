#include "ascii.hpp"

namespace ftp {

std::string ascii_producer::more() {
    const auto data = next();
    std::string text;
    text.reserve(data.size() + data.size() / 16);
    for (const char c : data) {
        if (c == '\n' && last_ != '\r') text += '\r';
        text += last_ = c;
    }
    return text;
}

std::string ascii_decoder::decode(std::string_view piece) {
    std::string text;
    text.reserve(piece.size() + 1);
    for (const char c : piece) {
        if (had_cr_ && c != '\n') text += '\r';
        had_cr_ = c == '\r';
        if (!had_cr_) text += c;
    }
    return text;
}

}  // namespace ftp
