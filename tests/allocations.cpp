// These definitions replace those of the C++ library in the program that links them.
#include "allocations.hpp"

#include <cstdlib>
#include <new>

namespace {

void* allocate(std::size_t size) noexcept {
    if (support::refuses_allocation && support::refuses_allocation()) return nullptr;
    void* const got = std::malloc(size == 0 ? 1 : size);
    if (!got) return nullptr;
    ++support::live_allocations;
    return got;
}

void deallocate(void* memory) noexcept {
    if (!memory) return;
    --support::live_allocations;
    std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
    if (void* const got = allocate(size)) return got;
    throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { deallocate(memory); }
void operator delete(void* memory, std::size_t) noexcept { deallocate(memory); }
