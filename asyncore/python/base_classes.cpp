// The classes of Python for channel, dispatcher and async_chat, from which exported classes derive.
#include <asyncore/python/class_info.hpp>
#include <asyncore/python/class_values.hpp>
#include <asyncore/python/errors.hpp>
#include <asyncore/python/exported.hpp>

#include <string_view>

namespace asyncore::python {

namespace {

PyObject* recv(PyObject* self, PyObject* size) {
    return guarded_from_python(
        [&] {
            auto& me = self_as<dispatcher>(self);
            return to_object(bytes{me.recv(from_object<std::size_t>(size))}).release();
        },
        static_cast<PyObject*>(nullptr));
}

PyObject* send(PyObject* self, PyObject* data) {
    return guarded_from_python(
        [&] { return to_object(self_as<dispatcher>(self).send(bytes_from(data))).release(); },
        static_cast<PyObject*>(nullptr));
}

PyObject* push(PyObject* self, PyObject* data) {
    return guarded_from_python(
        [&] {
            self_as<asynchat::async_chat>(self).push(std::string_view(bytes_from(data)));
            return object::borrow(Py_None).release();
        },
        static_cast<PyObject*>(nullptr));
}

/// A producer of Python.
class python_producer final : public asynchat::producer {
public:
    explicit python_producer(PyObject* value) : value_(object::borrow(value)) {}
    std::string more() override { return bytes_from(call_method(value_, "more").get()); }

private:
    const object value_;
};

PyObject* push_with_producer(PyObject* self, PyObject* producer) {
    return guarded_from_python(
        [&] {
            auto& me = self_as<asynchat::async_chat>(self);
            if (producer == Py_None) me.push_with_producer(std::shared_ptr<asynchat::producer>());
            else if (PyBytes_Check(producer))
                me.push_with_producer(std::string_view(bytes_from(producer)));
            else me.push_with_producer(std::make_shared<python_producer>(producer));
            return object::borrow(Py_None).release();
        },
        static_cast<PyObject*>(nullptr));
}

PyObject* get_terminator(PyObject* self, PyObject*) {
    return guarded_from_python(
        [&] { return to_object(self_as<asynchat::async_chat>(self).get_terminator()).release(); },
        static_cast<PyObject*>(nullptr));
}

PyObject* collect_incoming_data(PyObject* self, PyObject* data) {
    return guarded_from_python(
        [&] {
            const as_the_base_has_it scope(self);
            self_as<asynchat::async_chat>(self).collect_incoming_data(bytes_from(data));
            return object::borrow(Py_None).release();
        },
        static_cast<PyObject*>(nullptr));
}

PyObject* log_info(PyObject* self, PyObject* arguments, PyObject* keywords) {
    const char *message = nullptr, *type = "info";
    const char* const names[] = {"message", "type", nullptr};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "s|s", const_cast<char**>(names),
                                     &message, &type))
        return nullptr;
    return guarded_from_python(
        [&] {
            const as_the_base_has_it scope(self);
            self_as<dispatcher>(self).log_info(message, type);
            return object::borrow(Py_None).release();
        },
        static_cast<PyObject*>(nullptr));
}

PyObject* get_fileno(PyObject* self, void*) {
    return guarded_from_python(
        [&]() -> PyObject* {
            const int fd = self_as<dispatcher>(self)._fileno;
            return fd < 0 ? object::borrow(Py_None).release() : to_object(fd).release();
        },
        static_cast<PyObject*>(nullptr));
}

PyObject* get_socket(PyObject* self, void*) {
    return guarded_from_python(
        [&]() -> PyObject* { return python_socket_of(self_as<dispatcher>(self).socket).release(); },
        static_cast<PyObject*>(nullptr));
}

PyObject* get_map(PyObject* self, void*) {
    return guarded_from_python([&] { return to_python(self_as<dispatcher>(self)._map).release(); },
                               static_cast<PyObject*>(nullptr));
}

template <auto member, class T>
PyMethodDef method(const char* name) {
    return {name, as_function(as_slot(call_member<member, T, false>)), vectorcall, nullptr};
}
template <auto member, class T>
PyMethodDef hook(const char* name) {
    return {name, as_function(as_slot(call_member<member, T, true>)), vectorcall, nullptr};
}
template <auto member, class T>
PyGetSetDef attribute(const char* name) {
    return {name, get_member<member, T>, set_member<member, T>, nullptr, nullptr};
}

class_info& channel_info() {
    static auto& info = *new class_info{
        .name = "channel",
        .types = {},
        .methods = {hook<&channel::readable, channel>("readable"),
                    hook<&channel::writable, channel>("writable"),
                    method<&channel::handle_read_event, channel>("handle_read_event"),
                    method<&channel::handle_write_event, channel>("handle_write_event"),
                    method<&channel::handle_expt_event, channel>("handle_expt_event"),
                    hook<&channel::handle_close, channel>("handle_close"),
                    hook<&channel::handle_error, channel>("handle_error"),
                    hook<&channel::close, channel>("close")},
        .attributes = {attribute<&channel::accepting, channel>("accepting"),
                       {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr,
                        nullptr}},
    };
    return info;
}

class_info& dispatcher_info() {
    using T = dispatcher;
    static auto& info = *new class_info{
        .name = "dispatcher",
        .types = {&typeid(T)},
        .methods = {hook<&T::handle_read, T>("handle_read"),
                    hook<&T::handle_write, T>("handle_write"),
                    hook<&T::handle_connect, T>("handle_connect"),
                    hook<&T::handle_accept, T>("handle_accept"),
                    hook<&T::handle_expt, T>("handle_expt"),
                    hook<&T::handle_accepted, T>("handle_accepted"),
                    method<&T::handle_connect_event, T>("handle_connect_event"),
                    method<&T::create_socket, T>("create_socket"),
                    method<&T::set_reuse_addr, T>("set_reuse_addr"),
                    method<&T::listen, T>("listen"),
                    method<static_cast<void (T::*)(const address&)>(&T::bind), T>("bind"),
                    method<static_cast<void (T::*)(const address&)>(&T::connect), T>("connect"),
                    method<&T::accept, T>("accept"),
                    method<&T::add_channel, T>("add_channel"),
                    method<&T::del_channel, T>("del_channel"),
                    method<&T::set_socket, T>("set_socket"),
                    method<&T::log, T>("log"),
                    {"log_info", as_function(as_slot(log_info)), METH_VARARGS | METH_KEYWORDS,
                     nullptr},
                    {"recv", recv, METH_O, nullptr},
                    {"send", send, METH_O, nullptr}},
        .attributes = {attribute<&T::debug, T>("debug"),
                       attribute<&T::connected, T>("connected"),
                       attribute<&T::connecting, T>("connecting"),
                       attribute<&T::closing, T>("closing"),
                       attribute<&T::addr, T>("addr"),
                       {"_fileno", get_fileno, nullptr, nullptr, nullptr},
                       {"_map", get_map, nullptr, nullptr, nullptr},
                       {"socket", get_socket, nullptr, nullptr, nullptr}},
    };
    return info;
}

class_info& chat_info() {
    using T = asynchat::async_chat;
    static auto& info = *new class_info{
        .name = "async_chat",
        .types = {&typeid(T)},
        .methods = {hook<&T::found_terminator, T>("found_terminator"),
                    method<&T::set_terminator, T>("set_terminator"),
                    method<&T::close_when_done, T>("close_when_done"),
                    method<&T::initiate_send, T>("initiate_send"),
                    method<&T::discard_buffers, T>("discard_buffers"),
                    {"collect_incoming_data", collect_incoming_data, METH_O, nullptr},
                    {"push", push, METH_O, nullptr},
                    {"push_with_producer", push_with_producer, METH_O, nullptr},
                    {"get_terminator", get_terminator, METH_NOARGS, nullptr}},
        .attributes = {attribute<&T::ac_in_buffer_size, T>("ac_in_buffer_size"),
                       attribute<&T::ac_out_buffer_size, T>("ac_out_buffer_size"),
                       attribute<&T::terminator, T>("terminator")},
    };
    return info;
}

}  // namespace

PyTypeObject* base_type(const std::type_info& base) {
    static PyTypeObject* const of_channel = make_type(channel_info(), "asyncore_cpp", nullptr);
    static PyTypeObject* const of_dispatcher =
        make_type(dispatcher_info(), "asyncore_cpp", of_channel);
    static PyTypeObject* const of_chat = make_type(chat_info(), "asyncore_cpp", of_dispatcher);
    static_cast<void>(of_chat);
    const auto* const known = class_for(base);
    return known ? known->type : of_channel;
}

PyTypeObject* type_for(const channel& value) {
    base_type(typeid(channel));
    if (const auto* const known = class_for(typeid(value))) return known->type;
    if (dynamic_cast<const asynchat::async_chat*>(&value))
        return base_type(typeid(asynchat::async_chat));
    if (dynamic_cast<const dispatcher*>(&value)) return base_type(typeid(dispatcher));
    return base_type(typeid(channel));
}

}  // namespace asyncore::python
