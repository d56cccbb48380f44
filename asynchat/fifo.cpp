#include <asynchat/fifo.hpp>

#include <asyncore/spares.hpp>

#include <stdexcept>

namespace asynchat {

using asyncore::byte_buffer;

fifo::fifo(fifo&& other) {
    other.unshare();
    queue_ = std::move(other.queue_);
}

fifo& fifo::operator=(fifo&& other) {
    other.unshare();
    fifo old;  // dies last: the destructor of a producer is the user's
    old.queue_ = std::exchange(queue_, std::move(other.queue_));
    return *this;
}

/// Makes every entry stop sharing its bytes with a send() under way, so that moving the entries cannot
/// throw.
void fifo::unshare() {
    for (std::size_t i = 0; i < size(); ++i)
        if (auto* bytes = std::get_if<byte_buffer>(&(*this)[i])) bytes->unshare();
}

/// The entries.  Appending one more entry moves them without throwing, where they must be moved.
std::vector<fifo::entry>& fifo::make_room() {
    if (!queue_) queue_ = asyncore::spares<queue>::take();
    if (queue_->entries.size() == queue_->entries.capacity()) unshare();
    return queue_->entries;
}

std::size_t fifo::bytes() const noexcept {
    std::size_t total = 0;
    for (std::size_t i = 0; i < size(); ++i)
        if (const auto* each = std::get_if<byte_buffer>(&queue_->entries[queue_->head + i]))
            total += each->size();
    return total;
}

void fifo::appendleft(entry first) {
    if (queue_ && queue_->head > 0) {
        --queue_->head;
        front() = std::move(first);
        return;
    }
    auto& entries = make_room();
    unshare();
    entries.insert(entries.begin(), std::move(first));
}

fifo::entry fifo::popleft() {
    if (empty()) throw std::out_of_range("pop from an empty fifo");
    entry first = std::move(front());
    del_first();
    return first;
}

void fifo::del_first() {
    // Dies last: the destructor of a producer is the user's, and may use this queue.
    std::shared_ptr<producer> gone;
    if (auto* made = std::get_if<std::shared_ptr<producer>>(&front())) gone.swap(*made);
    front() = none;
    auto& [entries, head] = *queue_;
    ++head;
    if (head == entries.size()) {
        entries.clear();
        head = 0;
    } else if (head > 64 && head > queue_->size()) {  // more dead entries than live entries
        unshare();
        entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(head));
        head = 0;
    }
}

void fifo::clear() noexcept {
    // The destructor of a producer is the user's, and may look at this queue.
    auto gone = std::exchange(queue_, nullptr);
    if (!gone) return;
    gone->entries.clear();
    gone->head = 0;
    asyncore::spares<queue>::give(std::move(gone));
}

}  // namespace asynchat
