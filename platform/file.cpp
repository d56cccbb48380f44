#include <asyncore/platform/file.hpp>

#include <asyncore/platform/error.hpp>
#include <asyncore/platform/sigpipe.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace asyncore::platform {

transfer read_file(int fd, std::span<char> buffer) {
    return uninterrupted(fd, [&] { return ::read(fd, buffer.data(), buffer.size()); });
}

transfer write_file(int fd, std::string_view data) {
    const no_sigpipe guard;
    return uninterrupted(fd, [&] { return ::write(fd, data.data(), data.size()); });
}

void close_file(int fd) {
    if (::close(fd) < 0) throw_errno("close");
}

unique_fd duplicate(int fd) {
    unique_fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (copy.get() < 0) throw_errno("dup");
    return copy;
}

}  // namespace asyncore::platform
