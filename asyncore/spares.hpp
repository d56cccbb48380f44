// Containers that a thread keeps for the next use, so that an idle channel holds no memory and a
// busy channel does not allocate.
#pragma once

#include <asyncore/platform/thread_exit.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace asyncore {

/// The spare containers of one type and one thread.  A container of more than `largest` bytes is
/// freed, and not kept.
template <class Container, std::size_t largest = 65536>
class spares {
public:
    /// A spare container, in the state in which it was given, or a new container.
    static std::unique_ptr<Container> take() {
        if (count == 0) return std::make_unique<Container>();
        return std::unique_ptr<Container>(kept[--count]);
    }

    /// Keeps `used` for a later take(), or frees it.
    static void give(std::unique_ptr<Container> used) noexcept {
        if (state != open) return give_first(std::move(used));
        if (!used || count == most) return;
        if (used->capacity() * sizeof(typename Container::value_type) > largest + 32) return;
        kept[count++] = used.release();
    }

private:
    /// Begins to keep containers, unless the thread ends or has no memory for the list.
    [[gnu::noinline]] static void give_first(std::unique_ptr<Container> used) noexcept {
        if (state == closed) return;
        const bool is_called = platform::call_at_thread_exit(at_exit);
        if (!is_called) return;
        state = open;
        give(std::move(used));
    }
    /// Frees the containers when the thread ends.
    static void sweep() noexcept {
        state = closed;
        while (count > 0) delete kept[--count];
    }

    // Plain data, which needs no check for whether it is initialised.
    static constexpr int most = 32;
    static inline constinit thread_local Container* kept[most]{};
    static inline constinit thread_local int count = 0;
    static inline constinit thread_local platform::thread_exit_call at_exit{sweep};
    static inline constinit thread_local enum { unopened, open, closed } state = unopened;
};

}  // namespace asyncore
