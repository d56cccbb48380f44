// Python: email/_header_value_parser.py, get_fws() to get_word().
#pragma once

#include "addr_spec_tokens.hpp"

namespace addr_spec {

/// Python: _get_ptext_to_endchars().
std::string get_ptext(text& value, text endchars);

token get_fws(text& value);
token get_cfws(text& value);
token get_atom(text& value);
token get_dot_atom(text& value);
token get_word(text& value);

/// Takes the white space and the comments that `value` begins with.
/// Returns: nothing if there are none.
std::optional<token> take_cfws(text& value);

}  // namespace addr_spec
