// Python's exceptions, and what asyncore says about them.  Python: Lib/asyncore.py, _DISCONNECTED,
// _strerror(), ExitNow, _reraised_exceptions (a tuple there) and compact_traceback().
#pragma once

#include <asyncore/platform/error.hpp>

#include <set>
#include <stdexcept>
#include <string>
#include <tuple>

namespace asyncore {

// Default visibility makes each of these one type for a program and a shared library, even where
// the program is compiled with -fvisibility=hidden.
#pragma GCC visibility push(default)

/// Throw it in a hook to leave loop().
class ExitNow : public std::runtime_error {
public:
    explicit ExitNow(const std::string& message = "") : std::runtime_error(message) {}
};

/// Thrown for a method that a derived class must override, or that this library does not offer.
class NotImplementedError : public std::logic_error {
    using std::logic_error::logic_error;
};

/// What loop() throws after a SIGINT while an interrupt_on_sigint exists.  As in Python it is not an
/// ordinary exception: `catch (const std::exception&)` lets it pass.
struct KeyboardInterrupt {};

/// What a port throws for sys.exit(code); main() catches it.  It is not an ordinary exception, either.
struct SystemExit {
    int code = 0;
};

/// What compact_traceback() returns: ((file, function, line), type, value, info).
using traceback = std::tuple<std::tuple<std::string, std::string, std::string>, std::string,
                             std::string, std::string>;

/// An exception that came from another language, and knows its traceback.
class foreign_exception {
public:
    virtual traceback compact_traceback() const = 0;

protected:
    virtual ~foreign_exception() = default;
};

#pragma GCC visibility pop

/// The errno values that mean "the peer is gone": a close, not an error.  The whole process has one set,
/// and a port may add to it before its first loop.
extern std::set<int>& _DISCONNECTED;

/// Python: os.strerror().
std::string _strerror(int error);

/// Whether the exception being handled is one that no handle_error() may swallow: ExitNow,
/// KeyboardInterrupt, SystemExit, or the cancellation of the thread.
bool _reraised_exception();

/// The exception being handled, as ((file, function, line), type, value, info).
///
/// Differs: D5 - C++ exceptions carry no traceback: file, function, line and info are empty.
/// Throws:  std::logic_error if no exception is being handled.
traceback compact_traceback();

/// A type's name as it is written in the source.
std::string type_name(const std::type_info& type);

}  // namespace asyncore
