// Python's repr() of text and bytes, for messages.
#pragma once

#include <string>
#include <string_view>

namespace asyncore::platform {

std::string str_repr(std::string_view text);     // 'text'
std::string bytes_repr(std::string_view bytes);  // b'bytes'

}  // namespace asyncore::platform
