// Calls that move bytes: they fail, or move fewer bytes than they could.
#include "call.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define TRANSFER(symbol, parameters, arguments)                                                    \
    REPLACE(ssize_t, symbol, parameters) {                                                         \
        static constinit faults::call here(#symbol);                                               \
        const auto found = here.next();                                                            \
        if (found.what == faults::effect::cut)                                                     \
            size = std::min(size, static_cast<std::size_t>(found.number));                         \
        if (found.what == faults::effect::error) return errno = found.number, -1;                  \
        return REAL(symbol) arguments;                                                             \
    }

TRANSFER(read, (int fd, void* data, std::size_t size), (fd, data, size))
TRANSFER(write, (int fd, const void* data, std::size_t size), (fd, data, size))
TRANSFER(recv, (int fd, void* data, std::size_t size, int flags), (fd, data, size, flags))
TRANSFER(send, (int fd, const void* data, std::size_t size, int flags), (fd, data, size, flags))
TRANSFER(recvfrom,
         (int fd, void* data, std::size_t size, int flags, sockaddr* from, socklen_t* length),
         (fd, data, size, flags, from, length))
TRANSFER(sendto,
         (int fd, const void* data, std::size_t size, int flags, const sockaddr* to,
          socklen_t length),
         (fd, data, size, flags, to, length))
TRANSFER(sendfile, (int to, int from, off_t* offset, std::size_t size), (to, from, offset, size))

// These have arrays of buffers; where they are cut, only the first one is used.

#define VECTOR_TRANSFER(symbol)                                                                    \
    REPLACE(ssize_t, symbol, (int fd, const iovec* buffers, int count)) {                          \
        static constinit faults::call here(#symbol);                                               \
        const auto found = here.next();                                                            \
        if (found.what == faults::effect::error) return errno = found.number, -1;                  \
        if (found.what != faults::effect::cut || count < 1)                                        \
            return REAL(symbol)(fd, buffers, count);                                               \
        iovec first = *buffers;                                                                    \
        first.iov_len = std::min(first.iov_len, static_cast<std::size_t>(found.number));           \
        return REAL(symbol)(fd, &first, 1);                                                        \
    }

VECTOR_TRANSFER(readv)
VECTOR_TRANSFER(writev)

#define MESSAGE_TRANSFER(symbol, message_type)                                                     \
    REPLACE(ssize_t, symbol, (int fd, message_type* message, int flags)) {                         \
        static constinit faults::call here(#symbol);                                               \
        const auto found = here.next();                                                            \
        if (found.what == faults::effect::error) return errno = found.number, -1;                  \
        if (found.what != faults::effect::cut || message->msg_iovlen < 1)                          \
            return REAL(symbol)(fd, message, flags);                                               \
        iovec first = *message->msg_iov;                                                           \
        first.iov_len = std::min(first.iov_len, static_cast<std::size_t>(found.number));           \
        msghdr shorter = *message;                                                                 \
        shorter.msg_iov = &first;                                                                  \
        shorter.msg_iovlen = 1;                                                                    \
        return REAL(symbol)(fd, &shorter, flags);                                                  \
    }

MESSAGE_TRANSFER(sendmsg, const msghdr)

// std::cout and std::cerr write through these.

REPLACE(std::size_t, fwrite, (const void* data, std::size_t size, std::size_t count, FILE* file)) {
    static constinit faults::call here("fwrite");
    return here.fails() ? 0 : REAL(fwrite)(data, size, count, file);
}

REPLACE(int, fflush, (FILE * file)) {
    static constinit faults::call here("fflush");
    return here.fails() ? EOF : REAL(fflush)(file);
}

REPLACE(int, putc, (int byte, FILE* file)) {
    static constinit faults::call here("putc");
    return here.fails() ? EOF : REAL(putc)(byte, file);
}
