#include <asyncore/byte_buffer.hpp>

#include <asyncore/stock.hpp>

#include <utility>

namespace asyncore {

using strings = stock<std::string>;

byte_buffer::byte_buffer(byte_buffer&& other) noexcept
    : rest_(std::exchange(other.rest_, {})), storage_(std::move(other.storage_)) {}

byte_buffer& byte_buffer::operator=(byte_buffer&& other) noexcept {
    clear();
    rest_ = std::exchange(other.rest_, {});
    storage_ = std::move(other.storage_);
    return *this;
}

byte_buffer& byte_buffer::operator=(std::string_view data) {
    byte_buffer copy(data);  // first: `data` may be a part of this buffer
    return *this = std::move(copy);
}

void byte_buffer::append(std::string_view data) {
    if (data.empty()) return;
    own();
    if (!storage_) storage_ = strings::take();
    storage_->append(data);  // which may be a part of it
    const auto used = storage_->size() - rest_.size() - data.size();
    if (used > rest_.size()) storage_->erase(0, used);  // more dead bytes than live ones
    const auto live = rest_.size() + data.size();
    rest_ = {storage_->data() + storage_->size() - live, live};
}

void byte_buffer::adopt(std::string&& data) {
    storage_ = strings::take();
    *storage_ = std::move(data);
    rest_ = *storage_;
    if (rest_.empty()) clear();
}

void byte_buffer::consume(std::size_t count) noexcept {
    if (count >= rest_.size()) clear();
    else rest_.remove_prefix(count);
}

void byte_buffer::clear() noexcept {
    rest_ = {};
    strings::give(std::move(storage_));
}

void byte_buffer::own() {
    if (!borrowed()) return;
    auto copy = strings::take();
    copy->assign(rest_);
    storage_ = std::move(copy);
    rest_ = *storage_;
}

void byte_buffer::settle(std::unique_ptr<std::string>& storage) {
    if (!borrowed()) return;
    const auto* end = storage ? storage->data() + storage->size() : nullptr;
    if (rest_.data() + rest_.size() == end) storage_ = std::move(storage);
    else own();
}

}  // namespace asyncore
