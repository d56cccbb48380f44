#include <asyncore/byte_buffer.hpp>

#include <algorithm>

namespace asyncore {

byte_buffer& byte_buffer::operator=(byte_buffer&& other) {
    byte_buffer taken(std::move(other));
    release();
    bytes_ = std::exchange(taken.bytes_, {});
    block_ = std::exchange(taken.block_, nullptr);
    return *this;
}

byte_buffer& byte_buffer::operator=(std::string_view data) {
    byte_buffer copy(data);  // first: `data` may be a part of this buffer
    return *this = std::move(copy);
}

/// A buffer that grows gets twice the room that it needs, so that it seldom has to move again.
void byte_buffer::move_and_append(std::string_view data) {
    constexpr std::size_t least = 128;
    const auto total = size() + data.size();
    auto block = small_blocks::take();
    if (block->memory.size() < total)
        block->memory.resize(std::max(block_ ? 2 * total : total, least));
    char* const bytes = block->memory.data();
    view().copy(bytes, size());
    data.copy(bytes + size(), data.size());
    bytes_ = {bytes, total};
    block->users = 1;
    auto* const old = std::exchange(block_, block.release());
    if (old) drop(old);  // last: `data` may lie in it
}

void byte_buffer::adopt(std::string&& data) {
    release();
    if (data.empty()) return;
    auto block = small_blocks::take();
    block->memory = std::move(data);
    bytes_ = {block->memory.data(), block->memory.size()};
    block_ = block.release();
    block_->users = 1;
}

}  // namespace asyncore
