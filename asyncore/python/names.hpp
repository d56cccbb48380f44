// The names of attributes and functions that the loop looks up, as strings of Python.
#pragma once

#include <asyncore/python/object.hpp>

namespace asyncore::python::names {

#pragma GCC visibility push(default)

// What a channel has.
extern PyObject *accepting, *asked_every_turn_, *close, *connected, *connecting, *family_and_type,
    *_fileno, *_map, *readable, *socket, *writable;
extern PyObject* fileno;  // of its socket
// What the module asyncore has.
extern PyObject *ExitNow, *_exception, *read, *readwrite, *_refused_, *write;

#pragma GCC visibility pop

/// Returns: false, with an exception, if there is no memory.
bool make();

}  // namespace asyncore::python::names
