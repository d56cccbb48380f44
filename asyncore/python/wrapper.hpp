// The object of Python that stands for a channel of C++.
#pragma once

#include <asyncore/channel.hpp>
#include <asyncore/python/object.hpp>

#include <string>

namespace asyncore::python {

class mirror;

#pragma GCC visibility push(default)

/// The channel of a wrapper.  Null for an object of another class, and for a wrapper whose channel is gone.
channel* channel_in(PyObject* wrapper) noexcept;
/// The wrapper of a channel.  A channel that C++ made has none until Python first sees it; then it gets one, of
/// the class that was exported for its type, or of the class `channel`.
object wrapper_of(channel& value);
/// The wrapper, or null.
PyObject* existing_wrapper_of(const channel& value) noexcept;
/// What repr() of Python says of the wrapper.
std::string repr_of_wrapper(const channel& value);
/// The wrapper keeps the map alive from now on.
void bind_to_map(PyObject* wrapper, mirror& map, PyObject* dict);

/// A base class of the channels that a wrapper makes: while it exists, the channel at `where` has this wrapper.
class claim {
public:
    claim(PyObject* wrapper, const channel* where);
    ~claim();
    claim(const claim&) = delete;
    claim& operator=(const claim&) = delete;

private:
    const channel* const where_;
};

/// While it exists, the next hook that C++ calls is the hook of the exported class, even if a class of Python
/// overrides it: a method of the exported class was called by its own name, as in super().handle_read().
class as_the_base_has_it {
public:
    explicit as_the_base_has_it(PyObject* self) noexcept;
    ~as_the_base_has_it();
    as_the_base_has_it(const as_the_base_has_it&) = delete;
    as_the_base_has_it& operator=(const as_the_base_has_it&) = delete;

private:
    PyObject* const outer_;
};

/// The method of a class of Python that overrides `name` for this channel.  Empty if there is none.
object override_of(const channel& value, const char* name);
/// Calls an override of handle_error() with the exception being handled, or `body`.
void call_handle_error(const channel& value, const object& method);
template <class T, class Body>
void overridden_handle_error(T& value, Body body) {
    const auto method = override_of(value, "handle_error");
    if (method) call_handle_error(value, method);
    else body();
}

#pragma GCC visibility pop

}  // namespace asyncore::python
