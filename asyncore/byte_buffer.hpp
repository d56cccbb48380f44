// Bytes that are added at the end and used up at the front, each in constant time.
//
// Why a view of them stays valid while a hook runs, whatever the hook does to the buffer: the bytes
// lie in a block of memory that counts its users, as Python's bytes objects do.  The buffer is one
// user.  The library's own code is another for as long as it calls the hook (held_bytes), so the
// block outlives the buffer if the hook empties, replaces or destroys it.  Nothing writes into a
// block that has two users: an append() to such a buffer takes a new block.  A buffer that is moved
// away while its block has another user takes a copy along, so two threads never share a block.
#pragma once

#include <asyncore/spares.hpp>

#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace asyncore {

/// Memory for bytes, with a count of its users.
struct byte_block {
    using value_type = char;
    std::string memory;  // all of its size() is room for bytes
    unsigned users = 0;

    std::size_t capacity() const noexcept { return memory.size(); }
};

class held_bytes;

/// Python's `buffer = buffer + data` and `buffer = buffer[n:]`, without a copy of the rest each
/// time.  An empty buffer that was used up or released holds no memory.
class byte_buffer {
public:
    byte_buffer() noexcept = default;
    byte_buffer(std::string_view data) { append(data); }
    /// The bytes of `held` behind the first `skipped`, in the same block.
    byte_buffer(const held_bytes& held, std::size_t skipped) noexcept;
    byte_buffer(byte_buffer&& other) {
        other.unshare();  // it may throw: `other` still has what it had
        bytes_ = std::exchange(other.bytes_, {});
        block_ = std::exchange(other.block_, nullptr);
    }
    byte_buffer& operator=(byte_buffer&& other);
    byte_buffer& operator=(std::string_view data);
    ~byte_buffer() { release(); }

    std::string_view view() const noexcept { return bytes_; }
    operator std::string_view() const noexcept { return bytes_; }
    std::string str() const { return std::string(bytes_); }
    std::size_t size() const noexcept { return bytes_.size(); }
    bool empty() const noexcept { return bytes_.empty(); }

    /// `data` may be a part of this buffer.
    void append(std::string_view data) {
        if (data.empty()) return;
        if (room() < data.size()) return move_and_append(data);
        std::memcpy(block_->memory.data() + offset() + size(), data.data(), data.size());
        bytes_ = {bytes_.data(), size() + data.size()};
    }
    byte_buffer& operator+=(std::string_view data) { return append(data), *this; }
    /// Takes `data` over as it is, in place of what the buffer holds.
    void adopt(std::string&& data);

    /// Drops the first `count` bytes, or all of them if there are fewer.  Python: b = b[count:].
    void consume(std::size_t count) noexcept {
        if (count >= size()) release();
        else bytes_.remove_prefix(count);
    }
    /// Drops the bytes, and keeps the memory for the next append().
    void clear() noexcept {
        if (!block_ || shared()) return release();
        bytes_ = std::string_view(block_->memory).substr(0, 0);
    }
    /// Drops the bytes, and gives the memory back.
    void release() noexcept {
        bytes_ = {};
        if (block_) drop(std::exchange(block_, nullptr));
    }
    /// Whether the library's own code uses the bytes too, at this moment.
    bool shared() const noexcept { return block_ && block_->users > 1; }
    /// Moves the bytes to a block of their own if the block is shared.  Then moving the buffer cannot
    /// throw.
    void unshare() {
        if (shared()) move_and_append({});
    }

private:
    friend class held_bytes;
    friend class read_block;
    using small_blocks = spares<byte_block>;

    std::size_t offset() const noexcept {
        return static_cast<std::size_t>(bytes_.data() - block_->memory.data());
    }
    std::size_t room() const noexcept {
        return block_ && !shared() ? block_->memory.size() - offset() - size() : 0;
    }
    /// Moves the bytes to a block of their own, and appends `data` there.
    void move_and_append(std::string_view data);
    static void drop(byte_block* block) noexcept {
        --block->users;
        if (block->users == 0) small_blocks::give(std::unique_ptr<byte_block>(block));
    }

    std::string_view bytes_;
    byte_block* block_ = nullptr;  // the block in which bytes_ lie; null: the buffer has no memory
};

/// Keeps the bytes of a buffer valid, and as they are, while a hook may change the buffer.
class held_bytes {
public:
    explicit held_bytes(const byte_buffer& buffer) noexcept
        : bytes_(buffer.bytes_), block_(buffer.block_) {
        if (block_) ++block_->users;
    }
    ~held_bytes() {
        if (block_) byte_buffer::drop(block_);
    }
    held_bytes(const held_bytes&) = delete;
    held_bytes& operator=(const held_bytes&) = delete;
    std::string_view view() const noexcept { return bytes_; }
    std::size_t size() const noexcept { return bytes_.size(); }

private:
    friend class byte_buffer;
    std::string_view bytes_;
    byte_block* block_;
};

inline byte_buffer::byte_buffer(const held_bytes& held, std::size_t skipped) noexcept
    : bytes_(held.bytes_.substr(skipped)), block_(held.block_) {
    if (block_) ++block_->users;
}

/// Memory to read into: one large block of the thread.  An empty buffer takes what was read without
/// a copy.  A hook that reads again gets another block.
class read_block {
public:
    explicit read_block(std::size_t size) : size_(size) {
        auto block = read_blocks::take();
        if (block->memory.size() < size) block->memory.resize(size);
        block_ = block.release();
        block_->users = 1;
    }
    /// If a buffer still uses the block, the block belongs to that buffer from now on.
    ~read_block() {
        --block_->users;
        if (block_->users == 0) read_blocks::give(std::unique_ptr<byte_block>(block_));
    }
    read_block(const read_block&) = delete;
    read_block& operator=(const read_block&) = delete;
    std::span<char> span() noexcept { return {block_->memory.data(), size_}; }
    /// Appends the first `count` bytes of the block to `buffer`.
    void append_to(byte_buffer& buffer, std::size_t count) {
        if (!buffer.empty() || count == 0) return buffer.append({block_->memory.data(), count});
        buffer.release();
        buffer.bytes_ = {block_->memory.data(), count};
        buffer.block_ = block_;
        ++block_->users;
    }

private:
    using read_blocks = spares<byte_block, SIZE_MAX - 32>;
    byte_block* block_;
    std::size_t size_;
};

}  // namespace asyncore
