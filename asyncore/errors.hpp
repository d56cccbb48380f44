// Python's exceptions, and what asyncore says about them.
#pragma once

#include <asyncore/platform/error.hpp>

#include <set>
#include <stdexcept>
#include <string>
#include <tuple>

namespace asyncore {

// One type on both sides of a shared library, in a program compiled with -fvisibility=hidden too.

/// Raise it in a hook to leave loop().
class [[gnu::visibility("default")]] ExitNow : public std::runtime_error{
    public : explicit ExitNow(const std::string& message = "") : std::runtime_error(message){}
};

/// A hook that the class had to supply and did not.
class [[gnu::visibility("default")]] NotImplementedError : public std::logic_error {
    using std::logic_error::logic_error;
};

/// What loop() throws on SIGINT where interrupt_on_sigint() asked for it.  As in Python not an
/// "ordinary" exception: `catch (const std::exception&)` lets it pass.
struct [[gnu::visibility("default")]] KeyboardInterrupt{};

/// What a port throws for sys.exit(code); main() catches it.  Not an ordinary exception either.
struct [[gnu::visibility("default")]] SystemExit {
    int code = 0;
};

/// The errno values that mean "the peer is gone": a close, not an error.  A port may add to them
/// before its first loop; they are the process's.
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
std::tuple<std::tuple<std::string, std::string, std::string>, std::string, std::string, std::string>
compact_traceback();

/// A type's name as it is written in the source.
std::string type_name(const std::type_info& type);

}  // namespace asyncore
