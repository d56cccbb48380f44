// A limit on the length of a line.  Python: the counters in collect_incoming_data() of pyftpdlib and smtpd.
#pragma once

#include <asynchat/async_chat.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace asynchat {

/// A class of channels whose lines, without their terminators, have line_limit_ bytes at most.  Wrap it
/// around a class that is complete: spawn<line_limited<handler>>(std::move(sock)).
///
/// A line is what a delimiter ends.  Where the terminator is a number, or none, the class itself knows
/// how much it takes.
template <class Base>
class line_limited : public Base {
public:
    using Base::Base;

    std::size_t line_limit_ = 65536;  // in bytes

    /// Called when a line grows beyond the limit.  The rest of the line is dropped, and found_terminator()
    /// of Base is not called for it.  An override must forget what Base has collected of the line.  By
    /// default this logs, forgets everything, and calls handle_close().
    virtual void handle_line_limit_() {
        const asyncore::alive still_here(*this);
        this->log_info("a line has more than " + std::to_string(line_limit_) + " bytes", "error");
        if (still_here) this->discard_buffers();
        if (still_here) this->handle_close();
    }

    void collect_incoming_data(std::string_view data) override {
        const auto& wanted = this->get_terminator();
        if (!wanted || wanted.is_number()) {
            size_ = 0;
            return Base::collect_incoming_data(data);
        }
        if (is_too_long_) return;
        size_ += data.size();
        if (size_ <= line_limit_) return Base::collect_incoming_data(data);
        is_too_long_ = true;
        handle_line_limit_();
    }
    void found_terminator() override {
        size_ = 0;
        const bool was_too_long = std::exchange(is_too_long_, false);
        if (!was_too_long) Base::found_terminator();
    }

private:
    std::size_t size_ = 0;  // of the line so far
    bool is_too_long_ = false;
};

}  // namespace asynchat
