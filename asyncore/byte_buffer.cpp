#include <asyncore/byte_buffer.hpp>

#include <asyncore/stock.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace asyncore {

using strings = stock<std::string>;

byte_buffer& byte_buffer::operator=(byte_buffer&& other) {
    byte_buffer taken(std::move(other));
    release();
    rest_ = std::exchange(taken.rest_, {});
    storage_ = std::move(taken.storage_);
    return *this;
}

byte_buffer& byte_buffer::operator=(std::string_view data) {
    byte_buffer copy(data);  // first: `data` may be a part of this buffer
    return *this = std::move(copy);
}

/// Moves to memory that has room for twice as much as there will be, so that this is rare.
void byte_buffer::append_elsewhere(std::string_view data) {
    constexpr std::size_t least = 128;
    const auto size = rest_.size() + data.size();
    auto memory = strings::take();
    if (memory->size() < 2 * size) memory->resize(std::max(2 * size, least));
    rest_.copy(memory->data(), rest_.size());
    data.copy(memory->data() + rest_.size(), data.size());
    strings::give(std::exchange(storage_, std::move(memory)));
    rest_ = {storage_->data(), size};
}

void byte_buffer::adopt(std::string&& data) {
    release();
    if (data.empty()) return;
    storage_ = strings::take();
    *storage_ = std::move(data);
    rest_ = *storage_;
}

void byte_buffer::give_storage_back() noexcept { strings::give(std::move(storage_)); }

void byte_buffer::own() {
    if (!borrowed()) return;
    auto memory = strings::take();
    if (memory->size() < rest_.size()) memory->assign(rest_);
    else rest_.copy(memory->data(), rest_.size());
    storage_ = std::move(memory);
    rest_ = {storage_->data(), rest_.size()};
}

void byte_buffer::settle(std::unique_ptr<std::string>& storage) {
    if (!borrowed()) return;
    constexpr std::less_equal<const char*> before;
    if (storage && before(storage->data(), rest_.data()) &&
        before(rest_.data(), storage->data() + storage->size()))
        storage_ = std::move(storage);
    else own();
}

}  // namespace asyncore
