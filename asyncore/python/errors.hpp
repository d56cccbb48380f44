// Exceptions that cross the border between Python and C++, in both directions.
#pragma once

#include <asyncore/errors.hpp>
#include <asyncore/python/object.hpp>

#include <exception>
#include <memory>
#include <string>

namespace asyncore::python {

#pragma GCC visibility push(default)

/// A Python exception on its way through functions of C++.  It keeps its traceback.  Every such exception
/// derives from this class, and from the class of C++ that stands for the same thing: an OSError from
/// std::system_error, asyncore.ExitNow from ExitNow, KeyboardInterrupt and SystemExit from theirs, each other
/// exception from std::runtime_error.
///
/// It may be copied and destroyed by a thread that has not the GIL.
class raised : public foreign_exception {
public:
    explicit raised(object exception);
    raised(const raised&) = default;
    raised& operator=(const raised&) = default;
    ~raised() override;

    /// The exception, for a test with PyErr_GivenExceptionMatches().
    PyObject* exception() const noexcept { return exception_->get(); }
    /// Makes it the exception of this thread, as if it had just been raised.
    void restore() const noexcept;

    traceback compact_traceback() const override;

private:
    std::shared_ptr<object> exception_;
};

#pragma GCC visibility pop

/// Takes the exception that a function of Python has just raised, with its traceback.
object taken_exception();

/// Throws that exception.
[[noreturn]] void throw_raised();

/// The result of a function of Python.  Throws the exception if the result is null.
inline object checked(PyObject* owned) {
    if (!owned) throw_raised();
    return object::steal(owned);
}
/// Throws the exception if a function of Python has returned -1.
inline void checked(int result) {
    if (result < 0) throw_raised();
}

#pragma GCC visibility push(default)

/// From now on, an exception of C++ for which `is_of_class` is true becomes one of this class of Python, with
/// the text of what().
void translate_exception(bool (*is_of_class)(const std::exception&), PyObject* python_class);

#pragma GCC visibility pop

/// Inside a catch block: makes the exception being handled the exception of the thread of Python.
/// std::system_error becomes an OSError with its errno, std::invalid_argument a ValueError, std::bad_alloc a
/// MemoryError, NotImplementedError a NotImplementedError, ExitNow an asyncore.ExitNow, KeyboardInterrupt and
/// SystemExit theirs, each other exception a RuntimeError.
void raise_in_python() noexcept;

/// Calls `body`, and returns what it returns; or raises in Python what it throws, and returns `failed`.
template <class Body, class Result>
Result guarded_from_python(Body body, Result failed) noexcept {
    try {
        return body();
    } catch (...) {
        raise_in_python();
        return failed;
    }
}

/// The class ExitNow of the module asyncore that made the call under way, or null.
void set_exit_now(PyObject* type) noexcept;

}  // namespace asyncore::python
