// Counts the heap allocations of the process that it is preloaded into.
//
//     LD_PRELOAD=.../malloc_count.so MALLOC_COUNT=FILE SERVER ...
//
// FILE must exist and have eight bytes.  It is mapped, and the number in it grows with each
// allocation: the benchmark reads the file, and does not disturb the server.  operator new calls
// malloc, so its allocations count too.  glibc only.

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

// glibc's own names for the functions that are replaced here.  They are reserved identifiers.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

using counter = std::atomic<std::uint64_t>;
static_assert(counter::is_always_lock_free && sizeof(counter) == 8);

counter before_start;  // counts until the file is mapped
counter* allocations = &before_start;

__attribute__((constructor)) void map_the_file() {
    const char* const name = std::getenv("MALLOC_COUNT");
    if (name == nullptr) return;
    const int fd = ::open(name, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void* const memory =
        ::mmap(nullptr, sizeof(counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (memory != MAP_FAILED) allocations = static_cast<counter*>(memory);
}

void count() { allocations->fetch_add(1, std::memory_order_relaxed); }

}  // namespace

extern "C" {

void* malloc(std::size_t size) noexcept {
    count();
    return __libc_malloc(size);
}

void* calloc(std::size_t number, std::size_t size) noexcept {
    count();
    return __libc_calloc(number, size);
}

void* realloc(void* old, std::size_t size) noexcept {
    count();
    return __libc_realloc(old, size);
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
    count();
    return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void** result, std::size_t alignment, std::size_t size) noexcept {
    count();
    *result = __libc_memalign(alignment, size);
    return *result == nullptr ? ENOMEM : 0;
}
}
