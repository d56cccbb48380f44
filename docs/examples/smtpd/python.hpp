// What the port needs of Python itself: the methods of str and bytes, repr(), print(), getfqdn()
// and getopt.  Both str and bytes are a std::string here, and str is UTF-8.  The code that has a
// string knows which of the two it is.
#pragma once

#include <asyncore/platform/address.hpp>

#include <map>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace py {

using asyncore::platform::address;
using list = std::vector<std::string>;

/// Python: derives from ValueError, which is std::invalid_argument here.
class UnicodeError : public std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

/// Python: AttributeError, where the port raises it as Python does.
class AttributeError : public std::logic_error {
    using std::logic_error::logic_error;
};

/// Python: sys.getrecursionlimit().  Python counts the frames of the callers too, so it refuses a
/// text that is nested a little less deeply.
inline constexpr int recursion_limit = 1000;
/// Python: RecursionError.
class RecursionError : public std::runtime_error {
public:
    RecursionError() : std::runtime_error("maximum recursion depth exceeded") {}
};

// str and bytes

/// Python: bytes.decode('utf-8').
/// Throws: UnicodeError.  As in Python, surrogates are an error too.
const std::string& decode_utf8(const std::string& bytes);
/// Python: str.encode('ascii').
/// Throws: UnicodeError.
std::string_view encode_ascii(std::string_view text);

/// Takes the next character of UTF-8 off the front.  For a byte that is not UTF-8 it returns
/// 0x110000 plus the byte.
char32_t next(std::string_view& text);

bool isspace(char32_t c);
bool isalnum(std::string_view text);
/// Differs: only ASCII digits count.
bool isdigit(std::string_view text);
/// Differs: each letter becomes a single letter, so "ß" stays.
std::string upper(std::string_view text);
std::string_view lstrip(std::string_view text);
std::string_view strip(std::string_view text);
/// Splits at white space.
list split(std::string_view text);
list split(std::string_view text, std::string_view separator);
std::string join(std::string_view separator, const list& parts);
list splitlines_of_str(std::string_view text);
list splitlines_of_bytes(std::string_view bytes);
/// Python: int().  Differs: a number that is too large becomes the largest long long.
/// Throws: std::invalid_argument.
long long to_int(std::string_view text);

// repr() and print()

/// Prints as repr(value) does.  It makes the text only when it is printed.
template <class Value>
struct repr {
    explicit repr(const Value& shown, bool as_bytes = false) : value(shown), is_bytes(as_bytes) {}
    const Value& value;
    bool is_bytes;
};

std::string repr_of(std::string_view text, bool is_bytes);
std::string repr_of(const std::string& text, bool is_bytes);
std::string repr_of(const std::optional<std::string>& text, bool is_bytes);
std::string repr_of(const list& texts, bool is_bytes);
std::string repr_of(const address& name, bool is_bytes);  // a tuple
std::string repr_of(const std::map<std::string, std::pair<int, std::string>>& refused, bool);

template <class Value>
std::ostream& operator<<(std::ostream& out, const repr<Value>& what) {
    return out ? out << repr_of(what.value, what.is_bytes) : out;
}

/// Python: print(first, *rest, file=out).  It does nothing for a stream without a buffer, which is
/// how debugging is off.
template <class First, class... Rest>
void print(std::ostream& out, const First& first, const Rest&... rest) {
    if (!out) return;
    out << first;
    ((out << ' ' << rest), ...);
    out << '\n';
}

// socket

/// Python: socket.getfqdn().
std::string getfqdn();

// getopt

struct getopt_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Python: getopt.getopt(), with its messages.
/// Returns: pairs of option and argument, and the other arguments.
/// Throws: getopt_error.
std::pair<std::vector<std::pair<std::string, std::string>>, list>
getopt(list args, std::string_view shortopts, const list& longopts);

}  // namespace py
