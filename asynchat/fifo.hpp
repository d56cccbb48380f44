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
    fifo(fifo&& other) noexcept
        : entries_(std::move(other.entries_)), head_(std::exchange(other.head_, 0)) {}
    fifo& operator=(fifo&& other) noexcept;
    ~fifo() { clear(); }

    std::size_t size() const noexcept { return entries_ ? entries_->size() - head_ : 0; }
    bool empty() const noexcept { return size() == 0; }
    explicit operator bool() const noexcept { return !empty(); }

    entry& operator[](std::size_t index) { return (*entries_)[head_ + index]; }
    entry& front() { return (*this)[0]; }
    entry& back() { return entries_->back(); }

    void append(entry last);
    void appendleft(entry first);
    /// Throws: std::out_of_range if it is empty.  Python: IndexError.
    entry popleft();
    void clear() noexcept;

    // 2.x

    bool is_empty() const noexcept { return empty(); }
    entry& first() { return front(); }
    void push(entry last) { append(std::move(last)); }
    /// Python: (1, entry) or (0, None).
    std::optional<entry> pop() { return empty() ? std::nullopt : std::optional(popleft()); }

    // Not in Python: a push() lends its bytes while it tries to send them.

    /// Appends bytes that the caller keeps alive until own_all().
    void append_borrowed(std::string_view bytes);
    /// Copies what is still borrowed.  If memory runs out it is dropped, and std::bad_alloc thrown.
    void own_all();

private:
    std::unique_ptr<std::vector<entry>> entries_;  // from the thread's stock; null: empty
    std::size_t head_ = 0;                         // the first so many have been popped
};

}  // namespace asynchat
