#include <asyncore/byte_buffer.hpp>

#include <asyncore/stock.hpp>

#include <utility>

namespace asyncore {

using strings = stock<std::string>;

byte_buffer::byte_buffer(byte_buffer&& other) noexcept
    : rest_(std::exchange(other.rest_, {})), storage_(std::move(other.storage_)) {}

byte_buffer& byte_buffer::operator=(byte_buffer&& other) noexcept {
    release();
    rest_ = std::exchange(other.rest_, {});
    storage_ = std::move(other.storage_);
    return *this;
}

byte_buffer& byte_buffer::operator=(std::string_view data) {
    byte_buffer copy(data);  // first: `data` may be a part of this buffer
    return *this = std::move(copy);
}

/// Moves what it stands for, if anything, into a string from the stock.
void byte_buffer::take_storage() {
    auto taken = strings::take();
    taken->assign(rest_);
    storage_ = std::move(taken);
    rest_ = *storage_;
}

void byte_buffer::adopt(std::string&& data) {
    storage_ = strings::take();
    *storage_ = std::move(data);
    rest_ = *storage_;
    if (rest_.empty()) release();
}

void byte_buffer::consume(std::size_t count) noexcept {
    if (count >= rest_.size()) return release();
    rest_.remove_prefix(count);
    if (!storage_ || storage_->size() - rest_.size() <= rest_.size()) return;
    storage_->erase(0, storage_->size() - rest_.size());  // more dead bytes than live ones
    rest_ = *storage_;
}

void byte_buffer::release() noexcept {
    rest_ = {};
    strings::give(std::move(storage_));
}

void byte_buffer::own() {
    if (borrowed()) take_storage();
}

void byte_buffer::settle(std::unique_ptr<std::string>& storage) {
    if (!borrowed()) return;
    const auto* end = storage ? storage->data() + storage->size() : nullptr;
    if (rest_.data() + rest_.size() == end) storage_ = std::move(storage);
    else own();
}

}  // namespace asyncore
