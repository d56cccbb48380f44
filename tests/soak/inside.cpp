// Linked into the servers of the soak.  SIGUSR2 has the server tell how many bytes of memory are
// allocated now, by a line on the descriptor that SOAK_HEAP names.
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include <unistd.h>

#if __has_include(<sanitizer/allocator_interface.h>)
#include <sanitizer/allocator_interface.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SOAK_HAS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOAK_HAS_SANITIZER
#endif
#endif
#ifndef SOAK_HAS_SANITIZER
#include <malloc.h>
#endif

namespace {

int heap_fd = -1;

/// Only for a server that is asleep: glibc's allocator must not be interrupted.
std::size_t allocated() {
#ifdef SOAK_HAS_SANITIZER
    return __sanitizer_get_current_allocated_bytes();
#else
    return ::mallinfo2().uordblks;
#endif
}

void tell(int) {
    const int before = errno;
    char line[32];
    char* end = std::to_chars(std::begin(line), std::end(line) - 1, allocated()).ptr;
    *end++ = '\n';
    [[maybe_unused]] const auto written =
        ::write(heap_fd, line, static_cast<std::size_t>(end - line));
    errno = before;
}

const bool is_set_up = [] {
    // What smtpd prints is read while it runs.
    std::setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
    if (const char* const fd = std::getenv("SOAK_HEAP")) {
        heap_fd = std::atoi(fd);
        std::signal(SIGUSR2, tell);
    }
    return true;
}();

}  // namespace
