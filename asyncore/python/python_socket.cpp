#include <asyncore/python/python_socket.hpp>

#include <asyncore/python/convert.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace asyncore::python {

using platform::events;

namespace {

object stock_socket() {
    const auto module = checked(PyImport_ImportModule("socket"));
    return checked(PyObject_GetAttrString(module.get(), "socket"));
}

/// Whether the class leaves a method of socket.socket as it is.
bool keeps(PyObject* type, const object& stock, const char* method) {
    const auto its = object::steal(PyObject_GetAttrString(type, method));
    const auto stocks = object::steal(PyObject_GetAttrString(stock.get(), method));
    PyErr_Clear();
    return its && its.get() == stocks.get();
}

bool is_plain(PyObject* socket) {
    const auto stock = stock_socket();
    if (PyObject_IsInstance(socket, stock.get()) != 1) return false;
    auto* const type = reinterpret_cast<PyObject*>(Py_TYPE(socket));
    return keeps(type, stock, "recv") && keeps(type, stock, "send");
}

}  // namespace

python_socket::python_socket(PyObject* socket)
    : socket_(object::borrow(socket)),
      fd_(call_method<int>(socket_, "fileno")),
      is_plain_(is_plain(socket)),
      has_pending_(!is_plain_ && PyObject_HasAttrString(socket, "pending") == 1) {}

/// What the exception of Python means for a read or a write.
platform::transfer python_socket::failed(events& needs) const {
    try {
        throw_raised();
    } catch (const std::system_error& error) {
        const std::string_view name =
            Py_TYPE(dynamic_cast<const raised&>(error).exception())->tp_name;
        const bool wants_read = name == "SSLWantReadError" || name == "ssl.SSLWantReadError";
        const bool wants_write = name == "SSLWantWriteError" || name == "ssl.SSLWantWriteError";
        if (wants_read) needs = events::read;
        if (wants_write) needs = events::write;
        if (wants_read || wants_write) return {0, EAGAIN};
        const bool is_end = name == "SSLZeroReturnError" || name == "ssl.SSLZeroReturnError";
        if (is_end) return {0, 0};
        const int code = error.code().value();
        if (code <= 0) throw;
        return {0, code};
    }
}

platform::transfer python_socket::recv(std::span<char> buffer) {
    if (is_plain_) {
        const auto count = ::recv(fd_, buffer.data(), buffer.size(), 0);
        return count < 0 ? platform::transfer{0, errno}
                         : platform::transfer{static_cast<std::size_t>(count), 0};
    }
    recv_needs_ = events::read;
    const auto data = object::steal(
        PyObject_CallMethod(socket_.get(), "recv", "n", static_cast<Py_ssize_t>(buffer.size())));
    if (!data) return failed(recv_needs_);
    const auto bytes = bytes_from(data.get());
    const auto count = std::min(bytes.size(), buffer.size());
    std::memcpy(buffer.data(), bytes.data(), count);
    return {count, 0};
}

platform::transfer python_socket::send(std::string_view data) {
    if (is_plain_) {
        const auto count = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
        return count < 0 ? platform::transfer{0, errno}
                         : platform::transfer{static_cast<std::size_t>(count), 0};
    }
    send_needs_ = events::write;
    const auto count = object::steal(PyObject_CallMethod(socket_.get(), "send", "y#", data.data(),
                                                         static_cast<Py_ssize_t>(data.size())));
    if (!count) return failed(send_needs_);
    return {static_cast<std::size_t>(integer_from(count.get())), 0};
}

int python_socket::getsockopt(int level, int option) {
    return call_method<int>(socket_, "getsockopt", level, option);
}

void python_socket::close() {
    call_method(socket_, "close");
    fd_ = -1;
}

void python_socket::shutdown(int how) { call_method(socket_, "shutdown", how); }

std::size_t python_socket::pending() {
    if (has_pending_) return call_method<std::size_t>(socket_, "pending");
    return is_plain_ ? 0 : stream::pending();
}

}  // namespace asyncore::python
