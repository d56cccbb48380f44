#include <asyncore/python/convert.hpp>

#include <asyncore/python/mirror.hpp>
#include <asyncore/python/python_socket.hpp>
#include <asyncore/python/wrapper.hpp>

namespace asyncore::python {

void throw_type_error(const char* what, PyObject* given) {
    PyErr_Format(PyExc_TypeError, "%s expected, not %.200s", what, Py_TYPE(given)->tp_name);
    throw_raised();
}

void throw_overflow(long long number) {
    PyErr_Format(PyExc_OverflowError, "%lld does not fit into the type of C++", number);
    throw_raised();
}

long long integer_from(PyObject* value) {
    const auto number = checked(PyNumber_Index(value));
    const long long result = PyLong_AsLongLong(number.get());
    if (result == -1 && PyErr_Occurred()) throw_raised();
    return result;
}

double float_from(PyObject* value) {
    const double result = PyFloat_AsDouble(value);
    if (result == -1.0 && PyErr_Occurred()) throw_raised();
    return result;
}

bool bool_from(PyObject* value) {
    const int result = PyObject_IsTrue(value);
    checked(result);
    return result == 1;
}

std::string text_from(PyObject* value) {
    if (!PyUnicode_Check(value)) return bytes_from(value);
    const auto encoded = checked(PyUnicode_AsEncodedString(value, "utf-8", "surrogateescape"));
    return bytes_from(encoded.get());
}

std::string bytes_from(PyObject* value) {
    if (!PyObject_CheckBuffer(value)) throw_type_error("bytes", value);
    Py_buffer view;
    checked(PyObject_GetBuffer(value, &view, PyBUF_SIMPLE));
    std::string copy(static_cast<const char*>(view.buf), static_cast<std::size_t>(view.len));
    PyBuffer_Release(&view);
    return copy;
}

address address_from(PyObject* value) {
    if (value == Py_None) return {};
    if (!PyTuple_Check(value)) return address(std::string_view(text_from(value)));
    const auto size = PyTuple_Size(value);
    if (size != 2 && size != 4) throw_type_error("an address: a path, or a tuple of 2 or 4", value);
    const auto host = text_from(PyTuple_GetItem(value, 0));
    const auto port = static_cast<long>(integer_from(PyTuple_GetItem(value, 1)));
    if (size == 2) return address(host, port);
    return address(host, port, static_cast<std::uint32_t>(integer_from(PyTuple_GetItem(value, 2))),
                   static_cast<std::uint32_t>(integer_from(PyTuple_GetItem(value, 3))));
}

object to_python(const address& value) {
    if (!value) return object::borrow(Py_None);
    if (value.is_unix()) return to_object(value.path());
    const auto host = value.host();
    if (value.family() == AF_INET6)
        return checked(Py_BuildValue("(siII)", host.c_str(), static_cast<int>(value.port()),
                                     value.flowinfo(), value.scope_id()));
    return checked(Py_BuildValue("(si)", host.c_str(), static_cast<int>(value.port())));
}

socket_t socket_from(PyObject* value) {
    if (value == Py_None) return {};
    return socket_t(std::make_unique<python_socket>(value));
}

object to_python(socket_t value) {
    if (const auto* const known = dynamic_cast<python_socket*>(value.layer()))
        return object::borrow(known->get());
    if (!value) return object::borrow(Py_None);
    if (value.layer())
        throw std::logic_error("a socket with a stream of C++ cannot be given to Python");
    const auto module = checked(PyImport_ImportModule("socket"));
    auto fd = value.detach();
    const auto make = checked(PyObject_GetAttrString(module.get(), "socket"));
    const auto arguments = checked(PyTuple_New(0));
    const auto keywords = checked(Py_BuildValue("{si}", "fileno", fd.get()));
    auto made = checked(PyObject_Call(make.get(), arguments.get(), keywords.get()));
    static_cast<void>(fd.release());
    call_method(made, "setblocking", false);
    return made;
}

object python_socket_of(socket_t& value) {
    if (const auto* const known = dynamic_cast<python_socket*>(value.layer()))
        return object::borrow(known->get());
    if (!value) return object::borrow(Py_None);
    auto seen = to_python(std::move(value));
    value = socket_from(seen.get());
    return seen;
}

channel_map* map_from(PyObject* value) {
    auto dict = object::borrow(value);
    if (value == Py_None) {
        const auto module = checked(PyImport_ImportModule("asyncore"));
        dict = checked(PyObject_GetAttrString(module.get(), "socket_map"));
    }
    if (!PyDict_CheckExact(dict.get())) throw_type_error("a dict", dict.get());
    return &mirror::of(dict.get());
}

object to_python(channel_map* value) {
    const auto* const map = dynamic_cast<mirror*>(value);
    return map ? map->dict() : object::borrow(Py_None);
}

asynchat::terminator_t terminator_from(PyObject* value) {
    if (value == Py_None) return asynchat::none;
    if (PyLong_Check(value)) return integer_from(value);
    return bytes_from(value);
}

object to_python(const asynchat::terminator_t& value) {
    if (value.is_none()) return object::borrow(Py_None);
    if (value.is_number()) return to_object(value.number());
    return to_object(bytes{std::string(value.delimiter())});
}

std::shared_ptr<channel> channel_from(PyObject* value) {
    if (value == Py_None) return nullptr;
    auto* const found = channel_in(value);
    if (!found) throw_type_error("a channel of C++", value);
    return found->shared_from_this();
}

object to_python(channel* value) { return value ? wrapper_of(*value) : object::borrow(Py_None); }

}  // namespace asyncore::python
