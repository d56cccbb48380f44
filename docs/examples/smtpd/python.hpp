// What the port needs of Python itself: docs/porting/python.hpp, and what only smtpd needs.
#pragma once

#include "../../porting/python.hpp"

#include <map>

namespace py {

/// Python: sys.getrecursionlimit().  Python counts the frames of the callers too, and up to three frames
/// for each comment in a comment, so it refuses some texts that are nested less deeply.
inline constexpr int recursion_limit = 1000;
/// Python: RecursionError.
class RecursionError : public std::runtime_error {
public:
    RecursionError() : std::runtime_error("maximum recursion depth exceeded") {}
};

/// What smtplib.SMTP.sendmail() returns.
std::string repr_of(const std::map<std::string, std::pair<int, std::string>>& refused);

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
