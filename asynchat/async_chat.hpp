// A channel that cuts what it receives into messages, and queues what it sends.
// Python: class async_chat.
#pragma once

#include <asynchat/fifo.hpp>
#include <asynchat/producer.hpp>
#include <asynchat/terminator.hpp>
#include <asyncore/byte_buffer.hpp>
#include <asyncore/dispatcher.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace asynchat {

/// Derive from it, and supply collect_incoming_data() and found_terminator().
class async_chat : public asyncore::dispatcher {
public:
    using asyncore::dispatcher::recv;

    /// Class attributes: what a new object starts with.  Differs: D1 - 4096, as the manual says.
    [[gnu::visibility("default")]] static inline std::uint32_t default_ac_in_buffer_size = 4096;
    [[gnu::visibility("default")]] static inline std::uint32_t default_ac_out_buffer_size = 4096;
    /// Differs: D8 - they are there, and do nothing: C++ strings are bytes.
    static constexpr bool use_encoding = false;
    static constexpr const char* encoding = "latin-1";

    /// Whether what is pushed while one read is being parsed leaves in one send() at the end of it,
    /// whatever its size.  Off: push() sends at once, as in Python.
    bool coalesce_ = false;

private:
    bool parsing_ = false;  // and so a push() may wait, if coalesce_

public:
    std::uint32_t ac_in_buffer_size = default_ac_in_buffer_size;    // most bytes in one recv()
    std::uint32_t ac_out_buffer_size = default_ac_out_buffer_size;  // most bytes in one send()

    asyncore::byte_buffer ac_in_buffer;  // what is not delivered yet; shrinks as hooks are called
    asyncore::byte_buffer incoming;      // Differs: D11 - b''.join(incoming), not a list
    fifo producer_fifo;                  // what is not sent yet
    terminator_t terminator;

    /// See dispatcher's.
    explicit async_chat(asyncore::channel_map* map = nullptr) : dispatcher(map) {}
    explicit async_chat(asyncore::socket_t sock, asyncore::channel_map* map = nullptr)
        : dispatcher(std::move(sock), map) {}

    /// dispatcher's, with empty buffers.
    void init(asyncore::socket_t sock, asyncore::channel_map* map = nullptr);

    /// Called with a part of a message.  `data` is valid for the call.
    /// Throws: NotImplementedError, unless overridden; as does found_terminator().
    virtual void collect_incoming_data(std::string_view data);
    /// Called when the message that was collected is complete.
    virtual void found_terminator();
    /// A collect_incoming_data() for those who want no other: keeps the data for _get_data().
    void _collect_incoming_data(std::string_view data) { incoming.append(data); }
    /// What was kept, which is then forgotten.
    std::string _get_data();

    /// What ends the next message: `none`, a number of bytes, or a delimiter.  0, empty bytes and
    /// none all mean that data is collected as it comes, and found_terminator() not called.
    /// Holds at once, in found_terminator() too, for bytes that were received already; a number is
    /// counted down to 0, a delimiter stays.
    ///
    /// Throws: std::invalid_argument for a negative number.
    virtual void set_terminator(terminator_t term);
    virtual terminator_t& get_terminator() { return terminator; }

    /// Reads once, and calls collect_incoming_data() and found_terminator() for what came.
    void handle_read() override;
    void handle_write() override;
    void handle_close() override;

    /// Queues `data` in pieces of ac_out_buffer_size, and sends once.  What cannot be sent now is
    /// copied, so `data` need not outlive the call.
    virtual void push(std::string_view data);
    void push(std::nullptr_t) = delete;  // nor push(0): std::string_view would read from there
    /// Queues a producer, and sends once.  A null one means: close here.
    virtual void push_with_producer(std::shared_ptr<producer> made);
    template <std::derived_from<producer> Producer>
    void push_with_producer(Producer made) {
        push_with_producer(std::shared_ptr<producer>(std::make_shared<Producer>(std::move(made))));
    }
    /// Bytes are a producer too; these are copied, in one piece.
    void push_with_producer(std::string_view data);

    bool readable() override;
    bool writable() override;

    /// Calls handle_close() when all that is queued by now has been sent.  On an empty queue, too,
    /// that is in the next turn.
    virtual void close_when_done();
    /// Sends from the queue: one send() at most.
    virtual void initiate_send();
    /// Forgets what was received and what is queued.  For emergencies.
    virtual void discard_buffers();

private:
    class loan_;
    void parse_(std::size_t seen, const asyncore::alive& it);
    bool parse_one_(std::size_t seen, const asyncore::alive& it);
    bool parse_count_(std::ptrdiff_t count, const asyncore::alive& it);
    bool parse_delimiter_(terminator_t& wanted, std::size_t seen, const asyncore::alive& it);
    void join_last_(std::string_view data);
    void queued_();
    void send_first_(const asyncore::alive& it);
    void sent_(std::string_view bytes, std::size_t count, std::unique_ptr<std::string>& memory);
};

}  // namespace asynchat

template <>
inline constexpr bool asyncore::predicates_follow_state<asynchat::async_chat> = true;
