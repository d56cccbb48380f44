#include <asynchat/fifo.hpp>

#include <asyncore/stock.hpp>

#include <stdexcept>

namespace asynchat {

using asyncore::byte_buffer;
using entries = asyncore::stock<std::vector<fifo::entry>>;

fifo& fifo::operator=(fifo&& other) noexcept {
    clear();
    entries_ = std::move(other.entries_);
    head_ = std::exchange(other.head_, 0);
    return *this;
}

void fifo::append(entry last) {
    if (!entries_) entries_ = entries::take();
    entries_->push_back(std::move(last));
}

void fifo::appendleft(entry first) {
    if (head_ == 0) {
        if (!entries_) entries_ = entries::take();
        entries_->insert(entries_->begin(), std::move(first));
    } else {
        (*entries_)[--head_] = std::move(first);
    }
}

fifo::entry fifo::popleft() {
    if (empty()) throw std::out_of_range("pop from an empty fifo");
    entry first = std::exchange(front(), none);
    ++head_;
    if (empty()) {
        clear();
    } else if (head_ > 64 && head_ > size()) {  // more dead entries than live ones
        entries_->erase(entries_->begin(), entries_->begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
    }
    return first;
}

void fifo::clear() noexcept {
    // The destructor of a producer is the user's, and may look at this queue.
    auto gone = std::exchange(entries_, nullptr);
    head_ = 0;
    entries::give(std::move(gone));
}

void fifo::append_borrowed(std::string_view bytes) {
    byte_buffer borrowed;
    borrowed.borrow(bytes);
    append(std::move(borrowed));
}

void fifo::own_all() {
    // Only the newest can be borrowed; but one may have been sent and popped meanwhile.
    for (auto at = size(); at-- > 0;) {
        auto* bytes = std::get_if<byte_buffer>(&(*this)[at]);
        if (!bytes || !bytes->borrowed()) continue;
        try {
            bytes->own();
        } catch (...) {
            for (; at < size(); entries_->pop_back()) {}
            throw;
        }
    }
}

}  // namespace asynchat
