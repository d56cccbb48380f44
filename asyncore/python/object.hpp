// A reference to a Python object.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <utility>

namespace asyncore::python {

/// Owns a reference to a Python object, or is empty.  Every function of this folder needs the GIL, Python's
/// global lock, unless its comment says otherwise.
class object {
public:
    object() = default;
    /// Takes over a reference that the caller owns.
    static object steal(PyObject* owned) noexcept { return object(owned); }
    /// Makes a reference of its own.
    static object borrow(PyObject* borrowed) noexcept {
        Py_XINCREF(borrowed);
        return object(borrowed);
    }
    object(const object& other) noexcept : object(borrow(other.get_)) {}
    object(object&& other) noexcept : get_(std::exchange(other.get_, nullptr)) {}
    object& operator=(object other) noexcept {
        std::swap(get_, other.get_);
        return *this;
    }
    ~object() {
        if (get_) drop(get_);
    }

    PyObject* get() const noexcept { return get_; }
    /// Gives the reference to the caller.
    PyObject* release() noexcept { return std::exchange(get_, nullptr); }
    explicit operator bool() const noexcept { return get_ != nullptr; }

private:
    /// When Python has ended, its objects have ended with it.
    static void drop(PyObject* last) noexcept {
        if (Py_IsInitialized()) Py_DECREF(last);
    }
    explicit object(PyObject* owned) noexcept : get_(owned) {}
    PyObject* get_ = nullptr;
};

}  // namespace asyncore::python
