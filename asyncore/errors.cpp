// Python: Lib/asyncore.py, _strerror(), _reraised_exceptions, compact_traceback().
#include <asyncore/errors.hpp>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <typeinfo>

#include <cxxabi.h>

namespace asyncore {

// Never destroyed, because channels of static objects may send while the process ends.
std::set<int>& _DISCONNECTED =
    *new std::set<int>{ECONNRESET, ENOTCONN, ESHUTDOWN, ECONNABORTED, EPIPE, EBADF};

std::string _strerror(int error) { return std::generic_category().message(error); }

bool _reraised_exception() {
    // pthread_cancel() unwinds with something that is no C++ exception; glibc aborts the process
    // if a catch (...) keeps it.
    if (!std::current_exception()) return true;
    try {
        throw;
    } catch (const ExitNow&) {
        return true;
    } catch (const KeyboardInterrupt&) {
        return true;
    } catch (const SystemExit&) {
        return true;
    } catch (...) {
        return false;
    }
}

traceback compact_traceback() {
    if (!std::current_exception()) throw std::logic_error("traceback does not exist");
    try {
        throw;
    } catch (const foreign_exception& error) {
        return error.compact_traceback();
    } catch (const std::exception& error) {
        return {{}, type_name(typeid(error)), error.what(), ""};
    } catch (...) {
        return {{}, type_name(*abi::__cxa_current_exception_type()), "", ""};
    }
}

std::string type_name(const std::type_info& type) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
    return status == 0 ? name.get() : type.name();
}

}  // namespace asyncore
