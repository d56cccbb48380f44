// Data that is made when there is room for it.
#pragma once

#include <asyncore/byte_buffer.hpp>
#include <asyncore/literal.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace asynchat {

/// Python: any object with more().
///
/// Lifetime: a queue shares its producers, and lets go of a producer that is exhausted.
class producer {
public:
    virtual ~producer() = default;
    /// Returns the next bytes.  An empty string means that there are no more; then more() is not
    /// called again.
    virtual std::string more() = 0;
    /// Whether an empty string from more() means only that there are no bytes yet.  Then the producer stays
    /// at the front of the queue, and the channel waits for async_chat::more_to_send_().
    virtual bool not_done_yet_() { return false; }
};

/// Gives `data` in pieces of `buffer_size` bytes.
class simple_producer : public producer {
public:
    asyncore::byte_buffer data;  // the bytes that more() has not returned yet
    std::size_t buffer_size;

    explicit simple_producer(std::string bytes, std::size_t size = 512) : buffer_size(size) {
        data.adopt(std::move(bytes));
    }
    template <asyncore::character Char, std::size_t N>
    explicit simple_producer(Char (&array)[N], std::size_t size = 512)
        : simple_producer(std::string(asyncore::bytes_of(array)), size) {}
    std::string more() override {
        std::string result(data.view().substr(0, buffer_size));
        data.consume(result.size());
        return result;
    }
};

}  // namespace asynchat
