// The GIL, Python's global lock, and the threads that lose it for ever.
//
// When the interpreter ends, CPython up to 3.13 ends each daemon thread that asks for the GIL: it calls
// pthread_exit(), which unwinds the stack of that thread.  The functions of C++ on that stack would then run
// destructors that use Python without the GIL.  So a thread that is ended in this way is parked here instead:
// it sleeps until the process has ended.
#pragma once

#include <asyncore/python/object.hpp>

#include <cxxabi.h>

namespace asyncore::python {

/// Sleeps until the process ends.
[[noreturn]] void park() noexcept;

/// Calls `body`, which may take the GIL, and so may be ended in it.
template <class Body>
auto parked_at_exit(Body body) {
    try {
        return body();
    } catch (abi::__forced_unwind&) {
        park();
    }
}

/// Lets other threads of Python run while it exists.
class without_gil {
public:
    without_gil() noexcept : state_(PyEval_SaveThread()) {}
    ~without_gil() noexcept(false) {
        parked_at_exit([this] { PyEval_RestoreThread(state_); });
    }
    without_gil(const without_gil&) = delete;
    without_gil& operator=(const without_gil&) = delete;

private:
    PyThreadState* const state_;
};

/// Takes the GIL, if the thread has not got it, and gives it back.
class with_gil {
public:
    with_gil() {
        parked_at_exit([this] { state_ = PyGILState_Ensure(); });
    }
    ~with_gil() { PyGILState_Release(state_); }
    with_gil(const with_gil&) = delete;
    with_gil& operator=(const with_gil&) = delete;

private:
    PyGILState_STATE state_{};
};

}  // namespace asyncore::python
