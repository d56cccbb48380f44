// A producer whose bytes come later.  Python: supervisor's NOT_DONE_YET, medusa's stalled().
#pragma once

#include <asynchat/async_chat.hpp>
#include <asynchat/producer.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace asynchat {

/// Gives what is written to it, until close().  It stands in the queue of a channel, alone or inside of
/// another producer.  Until close(), the channel sends nothing of what stands behind it in the queue.
///
///     auto answer = std::make_shared<deferred_producer>(channel);
///     channel.push_with_producer(chunked_producer(answer));
///     // later, when the data base has answered
///     answer->write(row);
///     answer->close();
class deferred_producer : public producer {
public:
    /// `wake` is called when the queue waits for this producer, and the producer gets bytes or is closed.
    /// `wake` must call more_to_send_() of the channel.
    explicit deferred_producer(std::function<void()> wake) : wake_(std::move(wake)) {}
    /// For a channel that spawn() made.  If the channel is gone, nothing is woken.
    /// Throws: std::logic_error for any other channel.
    explicit deferred_producer(async_chat& channel);

    /// Hazard: as push(), write() and close() may send at once, and then hooks of the channel run inside
    /// of them.
    void write(std::string_view data);
    void close();

    /// How many bytes the channel has not taken yet.
    std::size_t size() const noexcept { return bytes_.size(); }
    /// Called when the channel has taken all bytes.  It may write the next bytes.
    std::function<void()> handle_taken;

    std::string more() override;
    bool not_done_yet_() override { return !closed_; }

private:
    void wake();

    std::function<void()> wake_;
    std::string bytes_;
    bool closed_ = false;
    bool awaited_ = false;  // more() was called, and had nothing
};

}  // namespace asynchat
