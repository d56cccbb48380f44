// Spare containers of a thread: who needs one for a while takes one here and gives it back, so that
// an idle channel holds no memory and a busy one does not allocate.
#pragma once

#include <array>
#include <memory>
#include <utility>

namespace asyncore {

template <class Container>
class stock {
public:
    /// An empty container, with whatever capacity it had last.
    static std::unique_ptr<Container> take() {
        if (closed || spare.count == 0) return std::make_unique<Container>();
        return std::move(spare.kept[--spare.count]);
    }

    /// Takes one back, or frees it where the stock is full or the container over 64 KiB.
    static void give(std::unique_ptr<Container> used) noexcept {
        if (!used || closed || spare.count == spare.kept.size()) return;
        if (used->capacity() * sizeof(typename Container::value_type) > 65536 + 32) return;
        used->clear();
        spare.kept[spare.count++] = std::move(used);
    }

private:
    struct shelf {
        std::array<std::unique_ptr<Container>, 32> kept;
        std::size_t count = 0;
        ~shelf() { closed = true; }
    };

    /// Objects may outlive the shelf at the end of a thread: so this needs no destructor.
    static inline constinit thread_local bool closed = false;
    static inline thread_local shelf spare;
};

}  // namespace asyncore
