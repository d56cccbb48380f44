// Every allocation is one class, "malloc": whichever function asks, memory may be short.
#include "call.hpp"

#include <cerrno>
#include <cstdlib>

#include <malloc.h>

// glibc's own functions.  They are found without dlsym(), which may allocate.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace {
constinit faults::call memory("malloc");
}

REPLACE(void*, malloc, (std::size_t size)) {
    return memory.fails() ? nullptr : __libc_malloc(size);
}

REPLACE(void*, calloc, (std::size_t count, std::size_t size)) {
    return memory.fails() ? nullptr : __libc_calloc(count, size);
}

REPLACE(void*, realloc, (void* old, std::size_t size)) {
    return memory.fails() ? nullptr : __libc_realloc(old, size);
}

REPLACE(void*, reallocarray, (void* old, std::size_t count, std::size_t size)) {
    std::size_t total = 0;
    if (memory.fails()) return nullptr;
    if (!__builtin_mul_overflow(count, size, &total)) return __libc_realloc(old, total);
    errno = ENOMEM;
    return nullptr;
}

REPLACE(void*, memalign, (std::size_t alignment, std::size_t size)) {
    return memory.fails() ? nullptr : __libc_memalign(alignment, size);
}

REPLACE(void*, aligned_alloc, (std::size_t alignment, std::size_t size)) {
    return memory.fails() ? nullptr : __libc_memalign(alignment, size);
}

REPLACE(int, posix_memalign, (void** result, std::size_t alignment, std::size_t size)) {
    if (memory.fails()) return errno;
    void* const found = __libc_memalign(alignment, size);
    if (!found) return ENOMEM;
    *result = found;
    return 0;
}
