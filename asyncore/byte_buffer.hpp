// Bytes that are added at the end and used up at the front, each in constant time.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace asyncore {

/// Python's `buffer = buffer + data` and `buffer = buffer[n:]`, without copying the rest each time.
///
/// It owns its bytes, or borrows them for a while (see borrow()).  Its memory comes from the
/// thread's stock, and goes back there when the bytes are used up.
class byte_buffer {
public:
    byte_buffer() noexcept = default;
    byte_buffer(std::string_view data) : rest_(data) { own(); }
    /// What `other` only borrows is copied: who moves it away means to keep it.
    byte_buffer(byte_buffer&& other) : rest_(other.rest_), storage_(std::move(other.storage_)) {
        if (borrowed()) own();  // it may throw: `other` still has what it had
        other.rest_ = {};
    }
    byte_buffer& operator=(byte_buffer&& other);
    byte_buffer& operator=(std::string_view data);
    ~byte_buffer() { release(); }

    std::string_view view() const noexcept { return rest_; }
    operator std::string_view() const noexcept { return rest_; }
    std::string str() const { return std::string(rest_); }
    std::size_t size() const noexcept { return rest_.size(); }
    bool empty() const noexcept { return rest_.empty(); }

    /// `data` may be a part of this buffer.
    void append(std::string_view data) {
        if (data.empty()) return;
        if (room() < data.size()) return append_elsewhere(data);
        char* const end = storage_->data() + (rest_.data() - storage_->data()) + rest_.size();
        std::memcpy(end, data.data(), data.size());
        rest_ = {rest_.data(), rest_.size() + data.size()};
    }
    byte_buffer& operator+=(std::string_view data) {
        append(data);
        return *this;
    }
    /// Takes `data` over as it is.  Only for an empty buffer.
    void adopt(std::string&& data);

    /// Drops the first `count` bytes, or all of them if there are fewer.  Python: b = b[count:].
    void consume(std::size_t count) noexcept {
        if (count >= rest_.size()) release();
        else rest_.remove_prefix(count);
    }
    /// Keeps the memory, for the next append().
    void clear() noexcept { rest_ = storage_ ? std::string_view(storage_->data(), 0) : ""; }
    /// Drops the bytes, and gives the memory back.
    void release() noexcept {
        rest_ = {};
        if (storage_) give_storage_back();
    }

    /// Stands for bytes that somebody else keeps alive, until own().  Only for an empty buffer.
    void borrow(std::string_view data) noexcept {
        release();
        rest_ = data;
    }
    bool borrowed() const noexcept { return !storage_ && !rest_.empty(); }
    /// Makes borrowed bytes its own.
    void own();
    /// Gives its memory to the caller and goes on as a borrower of it, so that views stay valid
    /// whatever happens to this buffer meanwhile.  Null if it owns nothing.
    std::unique_ptr<std::string> lend() noexcept { return std::move(storage_); }
    /// The end of lend() or borrow(): takes `storage` if the bytes lie in it, else copies them.
    void settle(std::unique_ptr<std::string>& storage);

private:
    std::size_t room() const noexcept {
        if (!storage_) return 0;
        return storage_->size() - rest_.size() -
               static_cast<std::size_t>(rest_.data() - storage_->data());
    }
    void append_elsewhere(std::string_view data);
    void give_storage_back() noexcept;

    std::string_view rest_;
    std::unique_ptr<std::string> storage_;  // all of its size() is room.  Null: empty, or borrowed
};

}  // namespace asyncore
