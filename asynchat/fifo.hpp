// The queue of what is to be sent.  Python: collections.deque in 3.x, asynchat.fifo in 2.x; this
// class has the methods of both.
#pragma once

#include <asynchat/producer.hpp>
#include <asynchat/terminator.hpp>
#include <asyncore/byte_buffer.hpp>

#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace asynchat {

/// An empty queue holds no memory once clear() was called.
class fifo {
public:
    /// Bytes, a producer, or `none`, which means: close the channel here.
    using entry = std::variant<none_t, asyncore::byte_buffer, std::shared_ptr<producer>>;

    fifo() noexcept = default;
    fifo(fifo&& other);
    fifo& operator=(fifo&& other);
    ~fifo() { clear(); }

    std::size_t size() const noexcept { return queue_ ? queue_->size() : 0; }
    /// How many bytes are queued.  Bytes that producers have not made yet do not count.
    std::size_t bytes() const noexcept;
    bool empty() const noexcept { return size() == 0; }
    explicit operator bool() const noexcept { return !empty(); }

    // The next three methods, and del_first(), must be called only if the queue has that entry.
    entry& operator[](std::size_t index) { return queue_->entries[queue_->head + index]; }
    entry& front() { return (*this)[0]; }
    entry& back() { return queue_->entries.back(); }

    void append(entry last) { make_room().push_back(std::move(last)); }
    /// Appends an entry with a copy of `data`.  Python: append(data).
    void append_bytes(std::string_view data) {
        make_room().emplace_back(std::in_place_type<asyncore::byte_buffer>, data);
    }
    void appendleft(entry first);
    /// Throws: std::out_of_range if the queue is empty.  Python: IndexError.
    entry popleft();
    /// Python: del queue[0].
    void del_first();
    /// Drops all entries, and gives back the memory, which popleft() and del_first() keep.
    void clear() noexcept;

    // 2.x

    bool is_empty() const noexcept { return empty(); }
    entry& first() { return front(); }
    void push(entry last) { append(std::move(last)); }
    /// Python: (1, entry) or (0, None).
    std::optional<entry> pop() { return empty() ? std::nullopt : std::optional(popleft()); }

private:
    struct queue {
        using value_type = entry;
        std::vector<entry> entries;
        std::size_t head = 0;  // how many entries at the front have been popped
        std::size_t size() const noexcept { return entries.size() - head; }
        std::size_t capacity() const noexcept { return entries.capacity(); }
    };
    std::vector<entry>& make_room();
    void unshare();

    std::unique_ptr<queue> queue_;  // from the spares; null: the fifo is empty, and has no memory
};

}  // namespace asynchat
