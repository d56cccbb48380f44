// Python's socket object, as far as asyncore asks of it: one method per system call.
#pragma once

#include <asyncore/platform/address.hpp>
#include <asyncore/platform/events.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <cerrno>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <sys/socket.h>

namespace asyncore::platform {

/// The result of a non-blocking transfer.  Errors such as EAGAIN are ordinary here, so they are
/// values and not exceptions.
struct transfer {
    std::size_t count = 0;
    int error = 0;  // errno, or 0
};

/// The result of a system call that has just returned `count`: if that is negative, the error is errno.
transfer transfer_result(ssize_t count);

/// Whether O_NONBLOCK is set.
bool is_nonblocking(int fd) noexcept;

/// Makes a system call on `fd`, and repeats it while a signal interrupts it (EINTR).  A signal does not
/// interrupt a call that does not block.  If the system all the same says EINTR three times, this
/// function returns EAGAIN, so that the loop goes on.
template <class Call>
transfer uninterrupted(int fd, Call call) {
    for (int tries = 1;; ++tries) {
        const auto result = transfer_result(call());
        if (result.error != EINTR) return result;
        if (tries >= 3 && is_nonblocking(fd)) return {0, EAGAIN};
    }
}

/// Something that stands in for a socket: a file, a TLS session.  A dispatcher works through it when
/// its `socket` holds it.  Python: any object with these methods.
class stream {
public:
    virtual ~stream() = default;
    virtual int fileno() const noexcept = 0;
    /// As recv(2) and send(2) of a non-blocking socket: where the call would have to wait, the error is
    /// EAGAIN; a count of 0 without an error is the end of file.
    virtual transfer recv(std::span<char> buffer) = 0;
    virtual transfer send(std::string_view data) = 0;
    virtual int getsockopt(int level, int option) = 0;
    virtual void close() = 0;
    /// `how` is shutdown(2)'s.  A TLS session that ends its side says so to the peer first.
    virtual void shutdown(int how);
    /// How many bytes recv() can give although the descriptor has none: what a TLS session has
    /// decrypted.  While there are such bytes, the loop calls the read hook without waiting.  A stream
    /// that does not override this method guesses that there are more bytes if the last recv() filled
    /// its buffer.
    virtual std::size_t pending() {
        guessed_ = filled_;
        return filled_ ? 1 : 0;
    }
    /// What the descriptor must be ready for before the next recv(), or the next send(), can move bytes.
    /// A TLS session may have to write before it can read.
    virtual events recv_needs() { return events::read; }
    virtual events send_needs() { return events::write; }
    /// Whether a method may raise SIGPIPE.  Then the socket blocks the signal during each call.
    virtual bool raises_sigpipe() const noexcept { return true; }
    /// By default, the next two methods ask the system about fileno().
    virtual address getsockname() const;
    virtual address getpeername() const;

    /// Whether pending() guessed that there are bytes: then EAGAIN is no error.
    bool guessed() const noexcept { return guessed_; }
    /// How many bytes the socket has received through this stream.
    std::size_t received() const noexcept { return received_; }

private:
    friend class socket;
    bool filled_ = false;  // the last recv() filled its buffer
    bool guessed_ = false;
    std::size_t received_ = 0;
};

/// Owns a socket, and can be moved.  The socket is non-blocking and close-on-exec from the start.
/// An empty object has the descriptor -1, and every call on it fails with EBADF, as on a closed
/// socket in Python.
///
/// A method that returns a `transfer` or an error number throws nothing for an error of the system.
/// Every other method throws std::system_error.
class socket {
public:
    socket() noexcept = default;
    socket(int family, int type);  // Python: socket.socket(family, type)
    /// Takes over an open descriptor and makes it non-blocking and close-on-exec.
    explicit socket(unique_fd fd);
    /// Works through `layer`.  A TLS port wraps in place:
    /// `socket = platform::socket(std::make_unique<tls>(std::move(socket)))`.
    explicit socket(std::unique_ptr<stream> layer) noexcept;
    socket(socket&&) noexcept = default;
    socket& operator=(socket&&) noexcept = default;

    /// Python: a connected pair, socket.socketpair(AF_UNIX, type).
    static std::pair<socket, socket> pair(int type = SOCK_STREAM);

    /// The stream that the socket works through, or null.  Python: self.socket, for a method that
    /// only its class has.
    stream* layer() const noexcept { return layer_.get(); }

    int fileno() const noexcept { return layer_ ? layer_->fileno() : fd_.get(); }
    /// Python: `sock is not None`, and not closed.
    explicit operator bool() const noexcept { return fileno() >= 0; }

    void bind(const address& name);
    void listen(int backlog);
    /// The next waiting connection, or the errno that says why there is none.
    std::pair<socket, address> accept(int& error);
    /// Starts to connect.  Returns: 0 or an errno, as Python's connect_ex().
    int connect_ex(const address& name);

    /// `flags` are recv(2)'s and send(2)'s: MSG_OOB, MSG_PEEK.  A stream takes none, and throws
    /// std::invalid_argument.
    transfer recv(std::span<char> buffer, int flags = 0);  // count 0 with error 0: end of file
    transfer send(std::string_view data, int flags = 0);   // never raises SIGPIPE
    // With these arguments, which C takes, the size would be taken for flags.
    transfer recv(char*, std::integral auto) = delete;        // recv({buffer, size})
    transfer send(const char*, std::integral auto) = delete;  // send({data, size})
    transfer recvfrom(std::span<char> buffer, address& from);
    transfer sendto(std::string_view data, const address& to);
    void shutdown(int how);  // SHUT_RD, SHUT_WR or SHUT_RDWR

    int getsockopt(int level, int option);
    void setsockopt(int level, int option, int value);
    address getsockname() const;
    address getpeername() const;
    int family() const;
    void setblocking(bool blocking);

    void close();
    /// Gives the open descriptor away.  Not for a socket that works through a stream.
    [[nodiscard]] unique_fd detach() noexcept { return std::move(fd_); }

private:
    transfer recv_through(std::span<char> buffer);

    /// Destroys a stream.  Its destructor may write to a peer that is gone, and cause a SIGPIPE.
    struct end_of_stream {
        void operator()(stream* last) const noexcept;
    };
    std::unique_ptr<stream, end_of_stream> layer_;
    unique_fd fd_;
};

struct server_options {
    int family = AF_INET;
    int backlog = 128;
    bool reuse_port = false;
    bool dualstack_ipv6 = false;  // with AF_INET6: takes IPv4 connections, too
};

/// A socket that is bound to `name` with SO_REUSEADDR, and listens.  A dispatcher adopts it with
/// set_socket(), and calls listen().  Python: socket.create_server().
/// Throws: std::system_error.
socket create_server(const address& name, server_options options = {});

/// Sets or clears O_NONBLOCK.  Python: os.set_blocking(fd, blocking).
void set_blocking(int fd, bool blocking);

}  // namespace asyncore::platform
