// Python: email/_encoded_words.py.
#pragma once

#include <string>
#include <string_view>

namespace encoded_words {

/// The value of a hexadecimal digit, or -1.
int hex_digit(char c);

/// The text of an encoded word, =?charset?q?text?=, as UTF-8.  `word` is the encoded word without
/// "=?" and "?=".
/// Throws: std::invalid_argument, where Python raises a ValueError or a KeyError.
std::string decode(std::string_view word);

}  // namespace encoded_words
