// Data that is made when there is room for it.
#pragma once

#include <asyncore/byte_buffer.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace asynchat {

/// Python: any object with more().
///
/// Lifetime: a queue that has one shares it, and lets go of it when it is exhausted.
class producer {
public:
    virtual ~producer() = default;
    /// The next bytes.  An empty string: there are no more, and more() will not be called again.
    virtual std::string more() = 0;
};

/// Gives `data` in pieces of `buffer_size` bytes.
class simple_producer : public producer {
public:
    asyncore::byte_buffer data;  // what is still to be given
    std::size_t buffer_size;

    explicit simple_producer(std::string bytes, std::size_t size = 512) : buffer_size(size) {
        data.adopt(std::move(bytes));
    }
    std::string more() override {
        std::string result(data.view().substr(0, buffer_size));
        data.consume(result.size());
        return result;
    }
};

}  // namespace asynchat
