// A socket of Python, as a channel of C++ reads and writes it.
#pragma once

#include <asyncore/platform/socket.hpp>
#include <asyncore/python/object.hpp>

namespace asyncore::python {

/// Works on the descriptor of a plain socket.socket itself, and calls the methods of an object of another class:
/// a TLS session, or an object that a test puts in the place of a socket.  The object of Python owns the
/// descriptor.
class python_socket final : public platform::stream {
public:
    explicit python_socket(PyObject* socket);

    PyObject* get() const noexcept { return socket_.get(); }

    int fileno() const noexcept override { return fd_; }
    platform::transfer recv(std::span<char> buffer) override;
    platform::transfer send(std::string_view data) override;
    int getsockopt(int level, int option) override;
    void close() override;
    void shutdown(int how) override;
    std::size_t pending() override;
    platform::events recv_needs() override { return recv_needs_; }
    platform::events send_needs() override { return send_needs_; }
    bool raises_sigpipe() const noexcept override { return false; }

private:
    platform::transfer failed(platform::events& needs) const;

    const object socket_;
    int fd_;
    bool is_plain_;
    bool has_pending_;
    platform::events recv_needs_ = platform::events::read;
    platform::events send_needs_ = platform::events::write;
};

}  // namespace asyncore::python
