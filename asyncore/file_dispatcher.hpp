// Pipes, terminals and files as channels.  Python: file_wrapper, file_dispatcher.
#pragma once

#include <asyncore/dispatcher.hpp>

namespace asyncore {

/// A file descriptor that looks like a socket.  Owns a duplicate of the descriptor that it is given.
class file_wrapper : public platform::stream {
public:
    int fd;

    explicit file_wrapper(int fd);
    /// Closes the descriptor.  Differs: D7 - without a ResourceWarning if close() was not called.
    ~file_wrapper() override;
    file_wrapper(const file_wrapper&) = delete;
    file_wrapper& operator=(const file_wrapper&) = delete;

    platform::transfer recv(std::span<char> buffer) override;
    platform::transfer send(std::string_view data) override;
    platform::transfer read(std::span<char> buffer) { return recv(buffer); }
    platform::transfer write(std::string_view data) { return send(data); }
    /// The same, as a string.
    /// Throws: std::system_error.
    std::string recv(std::size_t size);
    std::string read(std::size_t size) { return recv(size); }
    /// Returns: 0 for SO_ERROR, the only option that asyncore asks for.
    /// Throws:  NotImplementedError for anything else.
    int getsockopt(int level, int option) override;
    /// May be called again.
    /// Throws: std::system_error if the descriptor was closed behind its back.
    void close() override;
    int fileno() const noexcept override { return fd; }
    std::size_t pending() override { return 0; }
    bool raises_sigpipe() const noexcept override { return false; }
};

/// A dispatcher on a duplicate of a file descriptor.  The caller keeps the descriptor itself, and may close
/// it at once.  As in Python the open file becomes non-blocking, for every process that shares it.
class file_dispatcher : public dispatcher {
public:
    using dispatcher::recv;

    /// No file yet.
    explicit file_dispatcher(channel_map* map = nullptr) : dispatcher(map) {}
    /// Calls init(fd, map), without the overrides of a derived class; see dispatcher.
    explicit file_dispatcher(int fd, channel_map* map = nullptr) : dispatcher(map) {
        init(fd, map);
    }

    /// What Python's __init__ does, overrides included.  May be called again.
    void init(int fd, channel_map* map = nullptr);

    /// As set_socket(), with a file_wrapper.  Python: set_file(fd), where fd.fileno() is asked first.
    virtual void set_file(int fd);
};

}  // namespace asyncore
