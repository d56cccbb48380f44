// The queue of what is to be sent.  Python: collections.deque in 3.x, asynchat.fifo in 2.x; this
// answers to both.
#pragma once

#include <asynchat/producer.hpp>
#include <asynchat/terminator.hpp>
#include <asyncore/byte_buffer.hpp>

#include <concepts>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace asynchat {

class fifo {
public:
    /// Bytes, a producer, or none: close the channel here.
    using entry = std::variant<none_t, asyncore::byte_buffer, std::shared_ptr<producer>>;

    fifo() noexcept = default;
    /// What `other` only borrows is copied.
    fifo(fifo&& other);
    fifo& operator=(fifo&& other);
    ~fifo() { clear(); }

    std::size_t size() const noexcept { return queue_ ? queue_->size() : 0; }
    bool empty() const noexcept { return size() == 0; }
    explicit operator bool() const noexcept { return !empty(); }

    entry& operator[](std::size_t index) { return queue_->entries[queue_->head + index]; }
    entry& front() { return (*this)[0]; }
    entry& back() { return queue_->entries.back(); }

    void append(entry last);
    void appendleft(entry first);
    /// Throws: std::out_of_range if it is empty.  Python: IndexError.
    entry popleft();
    /// Gives the memory back too, which popleft() keeps.
    void clear() noexcept;

    // 2.x

    bool is_empty() const noexcept { return empty(); }
    entry& first() { return front(); }
    void push(entry last) { append(std::move(last)); }
    /// Python: (1, entry) or (0, None).
    std::optional<entry> pop() { return empty() ? std::nullopt : std::optional(popleft()); }

    // Not in Python: a push() lends its bytes while it tries to send them.

    /// Appends bytes that the caller keeps alive until own().
    void append_borrowed(std::string_view bytes);
    /// Copies the newest `count` entries that are still borrowed.
    /// Throws: std::bad_alloc, after dropping what could not be copied.
    void own(std::size_t count);

private:
    struct queue;
    queue& room();

    struct queue {
        using value_type = entry;
        std::vector<entry> entries;
        std::size_t head = 0;  // the first so many have been popped
        std::size_t size() const noexcept { return entries.size() - head; }
        std::size_t capacity() const noexcept { return entries.capacity(); }
        void clear() noexcept;
    };
    std::unique_ptr<queue> queue_;  // from the thread's stock; null: empty
};

}  // namespace asynchat
