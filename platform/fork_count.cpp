// How a process learns that it is the child of a fork: the kernel wipes one page of memory in each
// child, and with it a mark.  A handler of pthread_atfork(3) would miss some forks, since _Fork(3) and
// clone(2) call no handlers.
#include <asyncore/platform/poller.hpp>

#include <atomic>

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

namespace asyncore::platform {

namespace {

using mark = std::atomic<bool>;  // false: this process has not counted the fork that made it

std::atomic<unsigned> forks{0};

/// Returns: null if the system cannot wipe a page.
mark* wiped_page() noexcept {
#ifdef MADV_WIPEONFORK
    const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* const page =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return nullptr;
    if (::madvise(page, size, MADV_WIPEONFORK) == 0) return new (page) mark(true);
    ::munmap(page, size);
#endif
    return nullptr;
}

mark& make_mark() noexcept {
    if (auto* const wiped = wiped_page()) return *wiped;
    static mark counted{true};
    ::pthread_atfork(nullptr, nullptr, [] { counted = false; });
    return counted;
}

}  // namespace

unsigned fork_count() noexcept {
    static mark& counted = make_mark();
    if (!counted.load(std::memory_order_relaxed)) [[unlikely]] {
        counted = true;
        ++forks;
    }
    return forks.load(std::memory_order_relaxed);
}

}  // namespace asyncore::platform
