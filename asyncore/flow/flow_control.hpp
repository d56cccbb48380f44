// Back-pressure: when a queue has grown too long, the reading that fills it is paused.
// Python: outbuf_high_watermark of waitress; each proxy has code of its own.
#pragma once

#include <asyncore/channel.hpp>
#include <asyncore/dispatcher_with_send.hpp>
#include <asyncore/flow/pausable.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace asyncore {

/// A dispatcher_with_send, or a class that derives from it, with a high and a low mark of its queue.
/// asynchat::flow_control is the same for async_chat.
///
/// The two sides of a proxy feed each other:
///
///     left->fed_by_ = right;
///     right->fed_by_ = left;
template <class Base = dispatcher_with_send>
class flow_control : public pausable<Base> {
public:
    using pausable<Base>::pausable;

    /// In bytes.  handle_high_water_() is called when more than high_water_ bytes wait, and after that
    /// handle_low_water_() when low_water_ bytes or fewer are left.
    std::size_t high_water_ = 65536;
    std::size_t low_water_ = 16384;

    /// The channel whose reading fills this queue.  std::nullopt: this channel itself, which queues its
    /// answers to what it reads.
    std::optional<std::weak_ptr<pausable_reader>> fed_by_;

    /// Pauses the reading of fed_by_.
    virtual void handle_high_water_() {
        stops_ = fed_by_;
        if (!stops_) this->pause_reading_();
        else if (const auto reader = stops_->lock()) reader->pause_reading_();
        stops_some_ = true;
    }
    /// Resumes what handle_high_water_() paused.
    virtual void handle_low_water_() { resume_(); }
    bool is_above_high_water_() const noexcept { return is_above_; }

    void initiate_send() override {
        const alive still_here(*this);
        Base::initiate_send();
        if (still_here) look_at_queue_();
    }
    /// Resumes what the default handle_high_water_() paused, as the destructor does.
    void close() override {
        const alive still_here(*this);
        Base::close();
        if (!still_here) return;
        is_above_ = false;
        resume_();
    }
    ~flow_control() override {
        if (stops_) resume_();
    }

protected:
    /// Whether more than `limit` bytes wait.
    virtual bool queues_more_than_(std::size_t limit) {
        if constexpr (requires(Base & queue) { queue.out_buffer.size(); })
            return this->out_buffer.size() > limit;
        else return limit == 0;
    }
    /// Calls a hook if a mark was passed.  The hook may destroy the channel.  A closed channel may still
    /// queue bytes, as in Python; they pause nothing.
    void look_at_queue_() {
        if (!this->socket) return;
        const auto mark = is_above_ ? std::min(low_water_, high_water_) : high_water_;
        if (is_above_ == queues_more_than_(mark)) return;
        is_above_ = !is_above_;
        if (is_above_) handle_high_water_();
        else handle_low_water_();
    }

private:
    void resume_() {
        const bool stopped_some = std::exchange(stops_some_, false);
        if (!stopped_some) return;
        const auto stopped = std::exchange(stops_, std::nullopt);
        if (!stopped) this->resume_reading_();
        else if (const auto reader = stopped->lock()) reader->resume_reading_();
    }

    bool is_above_ = false;
    bool stops_some_ = false;  // the default handle_high_water_() has paused a reader
    std::optional<std::weak_ptr<pausable_reader>> stops_;  // that reader; nullopt: this channel
};

template <class Base>
inline constexpr bool predicates_follow_state<flow_control<Base>> =
    keeps_predicates<pausable<Base>>;

}  // namespace asyncore
