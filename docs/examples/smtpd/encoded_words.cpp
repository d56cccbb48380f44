#include "encoded_words.hpp"

#include <stdexcept>

#include <iconv.h>

#include "python.hpp"

namespace encoded_words {

namespace {

using text = std::string_view;

std::string decode_q(text encoded) {
    std::string out;
    for (std::size_t i = 0; i < encoded.size(); ++i) {
        const auto digits = encoded.substr(i + 1, 2);
        const bool escape = encoded[i] == '=' && digits.size() == 2 && hex_digit(digits[0]) >= 0 &&
                            hex_digit(digits[1]) >= 0;
        if (!escape) {
            out += encoded[i] == '_' ? ' ' : encoded[i];
            continue;
        }
        out += static_cast<char>(hex_digit(digits[0]) * 16 + hex_digit(digits[1]));
        i += 2;
    }
    return out;
}

std::string decode_b(text encoded) {
    constexpr text alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    unsigned bits = 0, count = 0;
    std::size_t letters = 0, pads = 0;
    for (const char c : encoded) {
        if (c == '=' && letters % 4 >= 2) {
            ++pads;
            // Python reads nothing behind the padding of a group of four.
            if (letters % 4 + pads == 4) return out;
        }
        const auto digit = alphabet.find(c);
        if (digit == alphabet.npos) continue;
        ++letters;
        pads = 0;
        bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xffffff;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out += static_cast<char>(bits >> count & 0xff);
    }
    return letters % 4 == 1 ? std::string(encoded) : out;
}

/// Python: encodings.normalize_encoding(), which puts an underscore in place of all that is neither
/// a letter nor a digit.  Here it is a dash, because iconv knows names with dashes.
std::string normalize_encoding(text encoding) {
    std::string name;
    bool punct = false;
    for (const char& c : encoding) {
        const bool part = py::isalnum({&c, 1}) || c == '.';
        if (part && punct && !name.empty()) name += '-';
        if (part) name += c;
        punct = !part;
    }
    return name;
}

/// Converts `bytes` to UTF-8.
/// Returns: the bytes as they are if the charset is not known.
std::string decode_charset(std::string bytes, const std::string& charset) {
    const auto name = normalize_encoding(charset);
    if (name.empty()) return bytes;
    const auto converter = ::iconv_open("UTF-8", name.c_str());
    if (converter == reinterpret_cast<iconv_t>(-1)) return bytes;
    constexpr auto failed = static_cast<std::size_t>(-1);
    std::string out(bytes.size() * 4 + 16, '\0');
    char* from = bytes.data();
    char* to = out.data();
    std::size_t left = bytes.size(), room = out.size();
    // A byte that is not text in the charset stays as it is.  Python has surrogates for it.
    while (::iconv(converter, &from, &left, &to, &room) == failed && left > 0 && room > 0) {
        *to++ = *from++;
        --left;
        --room;
    }
    ::iconv_close(converter);
    out.resize(out.size() - room);
    return out;
}

}  // namespace

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string decode(text word) {
    const auto pieces = py::split(word, "?");
    if (pieces.size() != 3) throw std::invalid_argument("not three parts");
    const auto charset = pieces[0].substr(0, pieces[0].find('*'));  // a language may follow
    const auto encoding = py::upper(pieces[1]);
    if (encoding != "Q" && encoding != "B") throw std::invalid_argument("unknown encoding");
    if (pieces[0].find('\0') != text::npos) throw std::invalid_argument("embedded null character");
    py::encode_ascii(pieces[2]);
    return decode_charset(encoding == "Q" ? decode_q(pieces[2]) : decode_b(pieces[2]), charset);
}

}  // namespace encoded_words
