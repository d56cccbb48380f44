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
        if (mine.count == 0) return std::make_unique<Container>();
        return std::unique_ptr<Container>(mine.kept[--mine.count]);
    }

    /// Keeps `used` for a later take(), or frees it.
    static void give(std::unique_ptr<Container> used) noexcept {
        if (mine.state != open) return give_first(std::move(used));
        if (!used || mine.count == most) return;
        if (used->capacity() * sizeof(typename Container::value_type) > largest + 32) return;
        mine.kept[mine.count++] = used.release();
    }

private:
    /// Begins to keep containers, unless the thread ends or has no memory for the list.
    [[gnu::noinline]] static void give_first(std::unique_ptr<Container> used) noexcept {
        if (mine.state == closed) return;
        const bool is_called = platform::call_at_thread_exit(mine.at_exit);
        if (!is_called) return;
        mine.state = open;
        give(std::move(used));
    }
    /// Frees the containers when the thread ends.
    static void sweep() noexcept {
        mine.state = closed;
        while (mine.count > 0) delete mine.kept[--mine.count];
    }

    enum progress { unopened, open, closed };
    static constexpr int most = 32;
    struct list {
        progress state;
        int count;
        Container* kept[most];
        platform::thread_exit_call at_exit;
    };
    // One object, so that its address in the thread is computed once.  It is plain data, which needs no
    // check for whether it is initialised.
    static inline constinit thread_local list mine{
        unopened, 0, {}, platform::thread_exit_call{sweep}};
};

}  // namespace asyncore
