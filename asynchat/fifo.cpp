#include <asynchat/fifo.hpp>

#include <asyncore/stock.hpp>

#include <stdexcept>

namespace asynchat {

using asyncore::byte_buffer;

void fifo::queue::clear() noexcept {
    entries.clear();
    head = 0;
}

fifo& fifo::operator=(fifo&& other) noexcept {
    clear();
    queue_ = std::move(other.queue_);
    return *this;
}

void fifo::append(entry last) {
    if (!queue_) queue_ = asyncore::stock<queue>::take();
    queue_->entries.push_back(std::move(last));
}

void fifo::appendleft(entry first) {
    if (!queue_) queue_ = asyncore::stock<queue>::take();
    auto& [entries, head] = *queue_;
    if (head == 0) entries.insert(entries.begin(), std::move(first));
    else entries[--head] = std::move(first);
}

fifo::entry fifo::popleft() {
    if (empty()) throw std::out_of_range("pop from an empty fifo");
    entry first = std::move(front());
    auto& [entries, head] = *queue_;
    ++head;
    if (head == entries.size()) {
        queue_->clear();
    } else if (head > 64 && head > queue_->size()) {  // more dead entries than live ones
        entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(head));
        head = 0;
    }
    return first;
}

void fifo::clear() noexcept {
    // The destructor of a producer is the user's, and may look at this queue.
    auto gone = std::exchange(queue_, nullptr);
    if (gone) gone->clear();
    asyncore::stock<queue>::give(std::move(gone));
}

void fifo::append_borrowed(std::string_view bytes) {
    if (!queue_) queue_ = asyncore::stock<queue>::take();
    queue_->entries.emplace_back(std::in_place_type<byte_buffer>);
    std::get<byte_buffer>(back()).borrow(bytes);
}

void fifo::own(std::size_t count) {
    for (auto at = size(); at > 0 && count > 0; --at) {
        auto* bytes = std::get_if<byte_buffer>(&(*this)[at - 1]);
        if (!bytes || !bytes->borrowed()) continue;
        --count;
        try {
            bytes->own();
        } catch (...) {
            while (size() >= at) queue_->entries.pop_back();
            throw;
        }
    }
}

}  // namespace asynchat
