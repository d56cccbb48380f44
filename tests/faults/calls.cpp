// Calls that only fail.  `failed` is what such a call returns after it has set errno.
#include "call.hpp"
#include "report.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <iconv.h>
#include <locale.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CALL(result, symbol, parameters, arguments, failed)                                        \
    REPLACE(result, symbol, parameters) {                                                          \
        static constinit faults::call here(#symbol);                                               \
        if (here.fails()) return failed;                                                           \
        return REAL(symbol) arguments;                                                             \
    }

// Sockets

CALL(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1)
CALL(int, socketpair, (int domain, int type, int protocol, int* ends),
     (domain, type, protocol, ends), -1)
CALL(int, bind, (int fd, const sockaddr* name, socklen_t length), (fd, name, length), -1)
CALL(int, connect, (int fd, const sockaddr* name, socklen_t length), (fd, name, length), -1)
CALL(int, accept, (int fd, sockaddr* name, socklen_t* length), (fd, name, length), -1)
CALL(int, accept4, (int fd, sockaddr* name, socklen_t* length, int flags),
     (fd, name, length, flags), -1)
CALL(int, getsockname, (int fd, sockaddr* name, socklen_t* length), (fd, name, length), -1)
CALL(int, getpeername, (int fd, sockaddr* name, socklen_t* length), (fd, name, length), -1)
CALL(int, getsockopt, (int fd, int level, int name, void* value, socklen_t* length),
     (fd, level, name, value, length), -1)
CALL(int, setsockopt, (int fd, int level, int name, const void* value, socklen_t length),
     (fd, level, name, value, length), -1)
CALL(int, shutdown, (int fd, int how), (fd, how), -1)

/// The first listen() that succeeds tells the sweep the port.  A later one is for a data connection of FTP.
REPLACE(int, listen, (int fd, int backlog)) {
    static constinit faults::call here("listen");
    if (here.fails()) return -1;
    const int result = REAL(listen)(fd, backlog);
    sockaddr_in name{};
    socklen_t length = sizeof name;
    if (auto* const report = faults::current_report();
        report && result == 0 && report->port == 0 &&
        REAL(getsockname)(fd, reinterpret_cast<sockaddr*>(&name), &length) == 0)
        report->port = ntohs(name.sin_port);
    return result;
}

// Descriptors and files.  The kernel has let go of a descriptor even if close() fails.

#define CLOSE(symbol, type)                                                                        \
    REPLACE(int, symbol, (type closed)) {                                                          \
        static constinit faults::call here(#symbol);                                               \
        const bool fails = here.fails();                                                           \
        const int error = errno;                                                                   \
        const int result = REAL(symbol)(closed);                                                   \
        if (!fails) return result;                                                                 \
        errno = error;                                                                             \
        return -1;                                                                                 \
    }

CLOSE(close, int)
CLOSE(closedir, DIR*)

// These have optional arguments.  A function that has them always finds them in the same registers.
CALL(int, fcntl64, (int fd, int command, void* argument), (fd, command, argument), -1)
CALL(int, open64, (const char* path, int flags, mode_t mode), (path, flags, mode), -1)
CALL(int, openat64, (int folder, const char* path, int flags, mode_t mode),
     (folder, path, flags, mode), -1)

CALL(int, dup2, (int fd, int number), (fd, number), -1)
CALL(int, pipe, (int* ends), (ends), -1)
CALL(int, fstat64, (int fd, struct stat64* found), (fd, found), -1)
CALL(int, fstatat64, (int folder, const char* path, struct stat64* found, int flags),
     (folder, path, found, flags), -1)
CALL(int, stat64, (const char* path, struct stat64* found), (path, found), -1)
CALL(int, faccessat, (int folder, const char* path, int mode, int flags),
     (folder, path, mode, flags), -1)
CALL(ssize_t, readlinkat, (int folder, const char* path, char* found, std::size_t size),
     (folder, path, found, size), -1)
CALL(off64_t, lseek64, (int fd, off64_t offset, int from), (fd, offset, from), -1)
CALL(int, mkdirat, (int folder, const char* path, mode_t mode), (folder, path, mode), -1)
CALL(int, unlinkat, (int folder, const char* path, int flags), (folder, path, flags), -1)
CALL(int, renameat, (int folder, const char* path, int to, const char* name),
     (folder, path, to, name), -1)
CALL(int, fchmodat, (int folder, const char* path, mode_t mode, int flags),
     (folder, path, mode, flags), -1)
CALL(int, utimensat, (int folder, const char* path, const timespec* times, int flags),
     (folder, path, times, flags), -1)
CALL(char*, realpath, (const char* path, char* found), (path, found), nullptr)
CALL(DIR*, fdopendir, (int fd), (fd), nullptr)
CALL(dirent64*, readdir64, (DIR * folder), (folder), nullptr)
CALL(int, epoll_create1, (int flags), (flags), -1)

// The process.  pthread_sigmask, sigwait and __register_atfork return the error.

CALL(int, getrlimit64, (__rlimit_resource_t which, struct rlimit64* limit), (which, limit), -1)
CALL(int, setrlimit64, (__rlimit_resource_t which, const struct rlimit64* limit), (which, limit),
     -1)
CALL(int, sigaction, (int number, const struct sigaction* action, struct sigaction* old),
     (number, action, old), -1)
CALL(sighandler_t, signal, (int number, sighandler_t handler), (number, handler), SIG_ERR)
CALL(int, sigpending, (sigset_t * set), (set), -1)
CALL(int, sigwait, (const sigset_t* set, int* number), (set, number), errno)
CALL(int, pthread_sigmask, (int how, const sigset_t* set, sigset_t* old), (how, set, old), errno)
CALL(int, setuid, (uid_t user), (user), -1)
CALL(passwd*, getpwnam, (const char* name), (name), nullptr)
CALL(passwd*, getpwuid, (uid_t user), (user), nullptr)
CALL(group*, getgrgid, (gid_t id), (id), nullptr)

extern "C" int __register_atfork(void (*)(), void (*)(), void (*)(), void*);
CALL(int, __register_atfork, (void (*prepare)(), void (*parent)(), void (*child)(), void* module),
     (prepare, parent, child, module), errno)

/// abort() cannot fail.  Its stack shows what ended the program, such as an exception in a noexcept
/// function.
REPLACE(void, abort, ()) {
    if (faults::current_report()) faults::report_stack();
    REAL(abort)();
    __builtin_unreachable();
}

// Names.  The errors of getaddrinfo and gethostbyaddr are numbers of their own: a system error, and
// "try again".

CALL(int, getaddrinfo,
     (const char* host, const char* service, const addrinfo* hints, addrinfo** found),
     (host, service, hints, found), EAI_SYSTEM)
CALL(hostent*, gethostbyaddr, (const void* address, socklen_t length, int type),
     (address, length, type), (h_errno = TRY_AGAIN, nullptr))
CALL(int, gethostname, (char* name, std::size_t size), (name, size), -1)
CALL(const char*, inet_ntop, (int family, const void* address, char* text, socklen_t size),
     (family, address, text, size), nullptr)
CALL(int, inet_pton, (int family, const char* text, void* address), (family, text, address), -1)

// Time and text

CALL(tm*, gmtime_r, (const time_t* time, tm* parts), (time, parts), nullptr)
CALL(char*, ctime, (const time_t* time), (time), nullptr)
CALL(locale_t, newlocale, (int mask, const char* name, locale_t base), (mask, name, base),
     static_cast<locale_t>(nullptr))
CALL(iconv_t, iconv_open, (const char* to, const char* from), (to, from),
     reinterpret_cast<iconv_t>(-1))
CALL(int, iconv_close, (iconv_t converter), (converter), -1)
CALL(std::size_t, iconv,
     (iconv_t converter, char** from, std::size_t* left, char** to, std::size_t* room),
     (converter, from, left, to, room), static_cast<std::size_t>(-1))
