// The grammar of replay scripts: text in, a list of directives out.
//
// It knows neither the library nor sockets.  script.py is its twin: both accept the same scripts,
// and refuse a bad script with the same message.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace replay {

/// What set_terminator takes: none, a number (which may be negative), or bytes.
using terminator = std::variant<std::monostate, long long, std::string>;

/// What a `do` or an `on` runs.
struct action {
    std::string what;
    std::vector<std::string> chunks;      // push_chunks; other actions with bytes have one
    std::size_t number = 0;               // recv N, push_simple SIZE
    int error = 0;                        // raise_os ERRNO
    terminator term;                      // set_terminator
    std::string other;                    // at NAME …, replace NAME, make NEW, reuse NEW
    std::shared_ptr<const action> inner;  // … ACTION

    const std::string& bytes() const { return chunks.front(); }
};

/// One line of a script.
struct directive {
    int line = 0;
    std::string what;
    std::string name;                            // the channel; for knock and dial the new one
    std::string other;                           // knock, dial: the listener, empty for `refused`
    std::string bytes;                           // feed, urgent
    std::string event;                           // on
    std::string delivery;                        // delivery
    action run;                                  // do, on
    std::size_t count = 0;                       // turn, loop
    std::map<std::string, std::size_t> options;  // chat, sender, raw: in, out, read; tcp is 0 or 1

    /// Returns: the option's value, or `otherwise` if the line does not have it.
    std::size_t option(const std::string& key, std::size_t otherwise) const;
};

/// A line that is not of the format; says where and why.
class bad_script : public std::runtime_error {
public:
    bad_script(int line, std::string_view why);
};

/// `wide`: the script may also have what script.py names under METHODS and WIDE_ACTIONS.
/// Returns: the directives of a script, in their order.
/// Throws: bad_script for the first line that is not of the format.
std::vector<directive> parse(std::string_view text, bool wide);

/// Returns: an errno's value by its symbolic name, 0 for a name that this system does not have.
int errno_named(std::string_view name);

/// Returns: the symbolic name of an errno, as Python's errno.errorcode has it.
std::string errno_name(int value);

}  // namespace replay
