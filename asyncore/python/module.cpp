// The extension module _asyncore: what asyncore.py and asynchat.py call.
#include <asyncore/python/errors.hpp>
#include <asyncore/python/mirror.hpp>
#include <asyncore/python/names.hpp>
#include <asyncore/python/stock_predicates.hpp>

#include <asynchat/async_chat.hpp>
#include <asyncore/platform/descriptor.hpp>
#include <asyncore/platform/descriptor_reserve.hpp>

#include <algorithm>
#include <cmath>

#include <sys/socket.h>

namespace asyncore::python {

namespace {

bool& exact_setting() {
    static bool exact = channel_map().exact;  // what ASYNCORE_EXACT says
    return exact;
}

/// A number of seconds, or None for ever.
platform::timeout timeout_of(PyObject* seconds, delivery how) {
    constexpr double longest = 100.0 * 24 * 3600;
    if (seconds == Py_None) return std::nullopt;
    if (!PyNumber_Check(seconds)) {
        PyErr_SetString(PyExc_TypeError, "timeout must be a float or None");
        throw_raised();
    }
    const double limit = PyFloat_AsDouble(seconds);
    if (limit == -1.0 && PyErr_Occurred()) throw_raised();
    if (std::isnan(limit)) {
        PyErr_SetString(PyExc_ValueError, "Invalid value NaN (not a number)");
        throw_raised();
    }
    if (how == delivery::poll && limit < 0) return std::nullopt;  // as poll(2) takes it
    return std::min(limit, longest);
}

/// Arguments: a number of seconds or None, a map, the globals of the module.
/// Returns: whether there was a turn.  False asks the module to take the turn itself.
PyObject* take_turn(PyObject* const* arguments, Py_ssize_t count, delivery how) {
    if (count != 3 || !PyDict_Check(arguments[2])) {
        PyErr_SetString(PyExc_TypeError, "wanted: timeout, map, globals");
        return nullptr;
    }
    PyObject* const dict = arguments[1];
    if (!PyDict_CheckExact(dict)) Py_RETURN_FALSE;
    return guarded_from_python(
        [&] {
            if (PyDict_Size(dict) == 0) Py_RETURN_TRUE;
            const auto limit = timeout_of(arguments[0], how);
            auto& map = mirror::of(dict);
            if (map.is_used_elsewhere()) Py_RETURN_FALSE;
            map.exact = exact_setting();
            const bool has_had_a_turn = map.take_turn(limit, how, arguments[2]);
            if (!has_had_a_turn) Py_RETURN_FALSE;
            Py_RETURN_TRUE;
        },
        static_cast<PyObject*>(nullptr));
}

PyObject* poll(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
    return take_turn(arguments, count, delivery::select);
}
PyObject* poll2(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
    return take_turn(arguments, count, delivery::poll);
}

/// The stock add_channel() has put a channel into a map, under a descriptor.
PyObject* entered(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
    auto* const map = count == 2 ? mirror::find(arguments[0]) : nullptr;
    if (!map || !PyLong_Check(arguments[1])) Py_RETURN_NONE;
    const int fd = static_cast<int>(PyLong_AsLong(arguments[1]));
    return guarded_from_python(
        [&] {
            if (fd >= 0) map->entered(fd);
            PyErr_Clear();
            Py_RETURN_NONE;
        },
        static_cast<PyObject*>(nullptr));
}

struct entry {
    mirror* map =
        nullptr;  // null: the map of the channel has had no turn, or the channel is in no map
    int fd = -1;
};

/// Where a channel says that it is.
entry entry_of(PyObject* channel) {
    const auto fileno = object::steal(PyObject_GetAttr(channel, names::_fileno));
    const auto dict = object::steal(PyObject_GetAttr(channel, names::_map));
    entry found;
    if (fileno && dict && PyLong_Check(fileno.get()))
        found = {mirror::find(dict.get()), static_cast<int>(PyLong_AsLong(fileno.get()))};
    PyErr_Clear();
    return found;
}

/// A stock method has changed what readable() and writable() of a channel answer.
PyObject* changed(PyObject*, PyObject* channel) {
    if (!python_channel::has_promise) Py_RETURN_NONE;
    const auto entry = entry_of(channel);
    if (entry.map) entry.map->interest_changed(entry.fd);
    Py_RETURN_NONE;
}

/// Arguments: a socket, the number that listen() was given.  Differs: D34.
PyObject* backlog(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
    if (count != 2) return PyErr_Format(PyExc_TypeError, "wanted: socket, number");
    const auto family = object::steal(PyObject_GetAttrString(arguments[0], "family"));
    const long number = PyLong_Check(arguments[1]) ? PyLong_AsLong(arguments[1]) : 0;
    const long kind =
        family && PyLong_Check(family.get()) ? PyLong_AsLong(family.get()) : AF_UNSPEC;
    PyErr_Clear();
    platform::reserve_descriptor();
    const bool is_ip = kind == AF_INET || kind == AF_INET6;
    if (!exact_setting() && is_ip && 0 < number && number < 128) return PyLong_FromLong(SOMAXCONN);
    Py_INCREF(arguments[1]);
    return arguments[1];
}

/// Arguments: a listener, the errno with which accept() failed.
/// Returns: whether the listener goes on.
PyObject* no_connection(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
    if (count != 2) return PyErr_Format(PyExc_TypeError, "wanted: channel, errno");
    const auto entry = entry_of(arguments[0]);
    const long error = PyLong_AsLong(arguments[1]);
    if (exact_setting() || !entry.map || !platform::is_listener(entry.fd)) Py_RETURN_FALSE;
    return guarded_from_python(
        [&] {
            const auto line = entry.map->rest_listener(entry.fd, static_cast<int>(error));
            if (!line.empty())
                checked(PyObject_CallMethod(arguments[0], "log_info", "ss", line.c_str(), "error"));
            Py_RETURN_TRUE;
        },
        static_cast<PyObject*>(nullptr));
}

/// Arguments: a predicate, and the names of the attributes on which its answer depends.
PyObject* know(PyObject*, PyObject* arguments) {
    const auto names = object::steal(PyTuple_GetSlice(arguments, 1, PyTuple_Size(arguments)));
    if (!names) return nullptr;
    return guarded_from_python(
        [&] {
            know_stock_predicate(PyTuple_GetItem(arguments, 0), names.get());
            Py_RETURN_NONE;
        },
        static_cast<PyObject*>(nullptr));
}

PyObject* is_exact(PyObject*, PyObject*) { return PyBool_FromLong(exact_setting()); }

PyObject* set_exact(PyObject*, PyObject* value) {
    const int exact = PyObject_IsTrue(value);
    if (exact < 0) return nullptr;
    exact_setting() = exact != 0;
    Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"poll", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(poll)), METH_FASTCALL,
     "poll(timeout, map, globals): one turn, as asyncore.poll() delivers it"},
    {"poll2", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(poll2)), METH_FASTCALL,
     "poll2(timeout, map, globals): one turn, as asyncore.poll2() delivers it"},
    {"entered", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(entered)), METH_FASTCALL,
     "entered(map, fd): add_channel() has put a channel into the map"},
    {"changed", changed, METH_O,
     "changed(channel): the predicates of the channel may answer otherwise now"},
    {"backlog", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(backlog)), METH_FASTCALL,
     "backlog(socket, number): what to ask of listen(2)"},
    {"no_connection", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(no_connection)),
     METH_FASTCALL,
     "no_connection(listener, errno): whether the listener goes on after accept() failed"},
    {"know", know, METH_VARARGS,
     "know(predicate, *names): the answer depends on these attributes of the object alone"},
    {"is_exact", is_exact, METH_NOARGS,
     "is_exact(): whether the modules do exactly what CPython's do"},
    {"set_exact", set_exact, METH_O,
     "set_exact(bool): whether the modules do exactly what CPython's do"},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "_asyncore",
    "The loop of asyncore-cpp, for asyncore.py and asynchat.py.",
    -1,
    methods,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace

}  // namespace asyncore::python

PyMODINIT_FUNC PyInit__asyncore() {
    if (!asyncore::python::names::make()) return nullptr;
    // The values of Python's module, and not of its manual (D1).
    asynchat::async_chat::default_ac_in_buffer_size = 65536;
    asynchat::async_chat::default_ac_out_buffer_size = 65536;
    return PyModule_Create(&asyncore::python::definition);
}
