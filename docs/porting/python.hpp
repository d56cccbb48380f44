// What a port needs of Python's own library: the methods of str and bytes, repr(), print(), getfqdn() and the
// formats of dates.  Copy this file and python.cpp beside your port; the smtpd port uses them.
// tests/porting/ holds each function against CPython.
//
// Both str and bytes are a std::string here, and str is UTF-8.  The code that has a string knows which of the
// two it is.  What is in py::bytes treats each byte by itself, and knows the letters and the white space of
// ASCII: it is for bytes, and for Python 2's str.  What is in py knows all of Unicode, or does not care.
//
// A function that returns a std::string_view returns a part of its argument: it is valid for as long as that.
#pragma once

#include <asyncore/platform/address.hpp>

#include <concepts>
#include <ctime>
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

/// Python: AttributeError, where a port raises it as Python does.
class AttributeError : public std::logic_error {
    using std::logic_error::logic_error;
};

// str

/// Python: bytes.decode('utf-8').
/// Throws: UnicodeError.  As in Python, surrogates are an error too.
const std::string& decode_utf8(const std::string& bytes);
/// Python: str.encode('ascii'), and bytes.decode('ascii').
/// Throws: UnicodeError.
std::string_view encode_ascii(std::string_view text);
/// Python: bytes.decode('latin-1').  Each byte becomes a character.
std::string decode_latin1(std::string_view bytes);

/// Takes the next character of UTF-8 off the front.  For a byte that is not UTF-8 it returns
/// 0x110000 plus the byte.
char32_t next(std::string_view& text);

bool isspace(char32_t c);
bool isalnum(std::string_view text);
/// Differs: only ASCII digits count.
bool isdigit(std::string_view text);
/// Differs: each letter becomes a single letter, so "ß" stays.
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string_view lstrip(std::string_view text);
std::string_view rstrip(std::string_view text);
std::string_view strip(std::string_view text);
/// Splits at white space.
list split(std::string_view text);
list splitlines_of_str(std::string_view text);
/// Python: int().  Differs: a number that is too large becomes the largest long long, and only ASCII digits
/// count.
/// Throws: std::invalid_argument.
long long to_int(std::string_view text);

// str and bytes: what is looked for is given.

/// Takes away each character that is among `characters`, which are ASCII.
std::string_view lstrip(std::string_view text, std::string_view characters);
std::string_view rstrip(std::string_view text, std::string_view characters);
std::string_view strip(std::string_view text, std::string_view characters);
/// `most`: how many times it splits, at most; -1 is as often as there is a separator.
/// Throws: std::invalid_argument if the separator is empty, as in the next five.
list split(std::string_view text, std::string_view separator, long most = -1);
list rsplit(std::string_view text, std::string_view separator, long most = -1);
/// What is before the separator, the separator, and what is behind it.  Python: a tuple.
struct parts {
    std::string_view before, separator, behind;
    bool operator==(const parts&) const = default;
};
parts partition(std::string_view text, std::string_view separator);
parts rpartition(std::string_view text, std::string_view separator);
std::string replace(std::string_view text, std::string_view old, std::string_view with);
std::size_t count(std::string_view text, std::string_view part);
std::string join(std::string_view separator, const list& parts);
// text.startswith(x) is text.starts_with(x), x in text is text.find(x) != text.npos, and text[a:b] is:
/// Python: text[begin:end], where a negative number counts from the end.
std::string_view slice(std::string_view text, long begin, std::optional<long> end = std::nullopt);

namespace bytes {
bool isspace(std::string_view data);
bool isalnum(std::string_view data);
bool isdigit(std::string_view data);
std::string upper(std::string_view data);
std::string lower(std::string_view data);
std::string_view lstrip(std::string_view data);
std::string_view rstrip(std::string_view data);
std::string_view strip(std::string_view data);
/// Splits at white space.
list split(std::string_view data);
}  // namespace bytes
list splitlines_of_bytes(std::string_view data);

// repr() and print()

/// Prints as repr(value) does.  It makes the text only when it is printed.
template <class Value>
struct repr {
    explicit repr(const Value& shown, bool as_bytes = false) : value(shown), is_bytes(as_bytes) {}
    const Value& value;
    bool is_bytes;
};

/// Differs: what is printable is for the C library to say, whose Unicode may be newer or older.
std::string repr_of(std::string_view text, bool is_bytes);
std::string repr_of(const std::string& text, bool is_bytes);
std::string repr_of(const std::optional<std::string>& text, bool is_bytes);
std::string repr_of(const list& texts, bool is_bytes);
std::string repr_of(const address& name, bool is_bytes);  // a tuple
std::string repr_of(double value, bool = false);  // the shortest digits that are this number
std::string repr_of(std::integral auto, bool = false) = delete;  // a whole number prints itself

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

/// Python: socket.getfqdn(name).  It may ask a name server, and block.
std::string getfqdn(const std::string& name = "");

// time.  `when` is time.time() without its fraction.

/// Python: time.gmtime(when) and time.localtime(when).
std::tm gmtime(std::time_t when);
std::tm localtime(std::time_t when);
/// Python: time.strftime(format, when).
std::string strftime(const char* format, const std::tm& when);
/// Python: time.asctime(when): "Thu Jan  1 00:00:00 1970".  time.ctime(t) is asctime(localtime(t)).
std::string asctime(const std::tm& when);
/// "Thu, 01 Jan 1970 00:00:00 -0000", for mail.  Python: email.utils.formatdate(when).
std::string formatdate(std::time_t when);
/// "Thu, 01 Jan 1970 00:00:00 GMT", for HTTP.  Python: email.utils.formatdate(when, usegmt=True).
std::string http_date(std::time_t when);

}  // namespace py
