// Linked into the servers of the soak.  SIGUSR2 has the server tell how many bytes of memory are
// allocated now, by a line on the descriptor that SOAK_HEAP names.
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SOAK_HAS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOAK_HAS_SANITIZER
#endif
#endif

#ifdef SOAK_HAS_SANITIZER
#include <sanitizer/allocator_interface.h>
#else
#include <malloc.h>
#endif

namespace {

int heap_fd = -1;

#ifdef SOAK_HAS_SANITIZER
// The sanitizer's own count has what is in its quarantine, too.
long count = 0;
void add(const volatile void* memory, std::size_t) {
    count += static_cast<long>(__sanitizer_get_allocated_size(memory));
}
void subtract(const volatile void* memory) {
    if (memory) count -= static_cast<long>(__sanitizer_get_allocated_size(memory));
}
long allocated() { return count; }
void begin_to_count() { __sanitizer_install_malloc_and_free_hooks(add, subtract); }
#else
/// Only for a server that is asleep: glibc's allocator must not be interrupted.
long allocated() { return static_cast<long>(::mallinfo2().uordblks); }
void begin_to_count() {}
#endif

void tell(int) {
    const int before = errno;
    char line[32];
    char* end = std::to_chars(std::begin(line), std::end(line) - 1, allocated()).ptr;
    *end++ = '\n';
    const auto size = static_cast<std::size_t>(end - line);
    [[maybe_unused]] const auto written = ::write(heap_fd, line, size);
    errno = before;
}

[[maybe_unused]] const bool is_set_up = [] {
    // What smtpd prints is read while it runs.
    std::setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
    if (const char* const fd = std::getenv("SOAK_HEAP")) {
        heap_fd = std::atoi(fd);
        begin_to_count();
        std::signal(SIGUSR2, tell);
    }
    return true;
}();

}  // namespace
