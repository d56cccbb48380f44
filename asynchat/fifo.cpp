#include <asynchat/fifo.hpp>

#include <asyncore/stock.hpp>

#include <stdexcept>

namespace asynchat {

using asyncore::byte_buffer;

void fifo::queue::clear() noexcept {
    entries.clear();
    head = 0;
}

fifo::fifo(fifo&& other) {
    other.own(other.size());
    queue_ = std::move(other.queue_);
}

fifo& fifo::operator=(fifo&& other) {
    other.own(other.size());
    auto taken = std::move(other.queue_);
    clear();
    queue_ = std::move(taken);
    return *this;
}

/// The queue, for one entry more.  If that moves the others, they own their bytes before, and so
/// moving them cannot fail.
fifo::queue& fifo::room() {
    if (!queue_) queue_ = asyncore::stock<queue>::take();
    if (queue_->entries.size() == queue_->entries.capacity()) own(size());
    return *queue_;
}

void fifo::append(entry last) { room().entries.push_back(std::move(last)); }

void fifo::appendleft(entry first) {
    auto& [entries, head] = room();
    if (head > 0) {
        entries[--head] = std::move(first);
        return;
    }
    own(size());
    entries.insert(entries.begin(), std::move(first));
}

fifo::entry fifo::popleft() {
    if (empty()) throw std::out_of_range("pop from an empty fifo");
    entry first = std::move(front());
    auto& [entries, head] = *queue_;
    ++head;
    if (head == entries.size()) {
        queue_->clear();
    } else if (head > 64 && head > queue_->size()) {  // more dead entries than live ones
        own(size());
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
    room().entries.emplace_back(std::in_place_type<byte_buffer>);
    std::get<byte_buffer>(back()).borrow(bytes);
}

void fifo::own(std::size_t count) {
    auto at = size();
    for (auto left = count; at > 0 && left > 0;) {
        const auto* bytes = std::get_if<byte_buffer>(&(*this)[--at]);
        left -= bytes && bytes->borrowed();
    }
    // From the oldest on: if one cannot be kept, it goes, and all that follows it.
    try {
        for (; at < size(); ++at)
            if (auto* bytes = std::get_if<byte_buffer>(&(*this)[at])) bytes->own();
    } catch (...) {
        while (size() > at) queue_->entries.pop_back();
        throw;
    }
}

}  // namespace asynchat
