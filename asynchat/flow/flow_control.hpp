// Back-pressure for async_chat; see <asyncore/flow/flow_control.hpp>.
#pragma once

#include <asynchat/async_chat.hpp>
#include <asyncore/flow/flow_control.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <variant>

namespace asynchat {

/// An async_chat, or a class that derives from it, with a high and a low mark of its queue.  Bytes that
/// producers have not made yet do not count.  If the queue grows all the same, queue_limit_, which counts
/// in the same way, closes the channel.
template <class Base = async_chat>
class flow_control : public asyncore::flow_control<Base> {
public:
    using asyncore::flow_control<Base>::flow_control;
    using Base::push;
    using Base::push_with_producer;

    void push(std::string_view data) override {
        const asyncore::alive still_here(*this);
        queued_at_most_ += data.size();
        Base::push(data);
        if (still_here) this->look_at_queue_();
    }
    void push_with_producer(std::string_view data) override {
        const asyncore::alive still_here(*this);
        queued_at_most_ += data.size();
        Base::push_with_producer(data);
        if (still_here) this->look_at_queue_();
    }
    void discard_buffers() override {
        const asyncore::alive still_here(*this);
        Base::discard_buffers();
        if (still_here) this->look_at_queue_();
    }

protected:
    /// Counts no further than `limit`, and only if more than `limit` bytes can be queued.
    bool queues_more_than_(std::size_t limit) override {
        if (queued_at_most_ <= limit) return false;
        std::size_t count = 0;
        for (std::size_t at = 0; at < this->producer_fifo.size(); ++at) {
            const auto* bytes = std::get_if<asyncore::byte_buffer>(&this->producer_fifo[at]);
            if (bytes) count += bytes->size();
            if (count > limit) return true;
        }
        queued_at_most_ = count;
        return false;
    }

private:
    std::size_t queued_at_most_ = 0;
};

}  // namespace asynchat

template <class Base>
inline constexpr bool asyncore::predicates_follow_state<asynchat::flow_control<Base>> =
    asyncore::keeps_predicates<asyncore::flow_control<Base>>;
