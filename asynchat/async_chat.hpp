// A channel that cuts what it receives into messages, and queues what it sends.
// Python: class async_chat.
#pragma once

#include <asynchat/fifo.hpp>
#include <asynchat/producer.hpp>
#include <asynchat/terminator.hpp>
#include <asyncore/byte_buffer.hpp>
#include <asyncore/dispatcher.hpp>
#include <asyncore/literal.hpp>

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

    /// Class attributes: the values, in bytes, with which a new object starts.  Differs: D1 - 4096, as the
    /// manual says.
    [[gnu::visibility("default")]] static std::uint32_t default_ac_in_buffer_size;   // 4096
    [[gnu::visibility("default")]] static std::uint32_t default_ac_out_buffer_size;  // 4096
    /// What queue_limit_ of a new object is.  Not Python's.
    [[gnu::visibility("default")]] static std::size_t default_queue_limit_;  // 0
    /// Differs: D8 - the two members are there, and do nothing: C++ strings are bytes.
    static constexpr bool use_encoding = false;
    static constexpr const char* encoding = "latin-1";

    /// Whether everything that is pushed while one read is parsed leaves in one send() after the read,
    /// whatever its size.  Off: push() sends at once, as in Python.
    bool coalesce_ = false;

    /// Whether push() only queues, and the next turn sends.  Then no hook runs inside push().
    /// Off: push() sends at once, as in Python.
    bool send_later_ = false;

    /// Whether handle_close() waits, when the peer has ended its side, until the queue has been sent.
    /// Off: handle_close() is called at once, as in Python, and the default handle_close() drops the queue.
    bool finish_sending_ = false;

private:
    // These stand here, and not below, because they fill a gap between public members.
    std::uint8_t in_vain_ = 0;  // events in a row that found nothing to read, or no room to send
    bool parsing_ = false;      // a read is being parsed: with coalesce_, push() only queues
    bool waiting_ = false;      // the first producer has no bytes yet; see more_to_send_()

public:
    std::uint32_t ac_in_buffer_size = default_ac_in_buffer_size;    // most bytes in one recv()
    std::uint32_t ac_out_buffer_size = default_ac_out_buffer_size;  // most bytes in one send()

    /// How many bytes may wait in the queue.  Bytes that producers have not made yet do not count.  0: any
    /// number.
    std::size_t queue_limit_ = default_queue_limit_;

    /// The bytes that are not delivered yet.  It shrinks before each found_terminator().
    asyncore::byte_buffer ac_in_buffer;
    asyncore::byte_buffer incoming;  // Differs: D11 - b''.join(incoming), not a list
    fifo producer_fifo;              // what is not sent yet
    terminator_t terminator;         // Differs: D19 - none until it is set

    /// As the constructors of dispatcher.
    explicit async_chat(asyncore::channel_map* map = nullptr) : dispatcher(map) {}
    explicit async_chat(asyncore::socket_t sock, asyncore::channel_map* map = nullptr)
        : dispatcher(std::move(sock), map) {}

    /// As dispatcher::init(), with empty buffers.
    void init(asyncore::socket_t sock, asyncore::channel_map* map = nullptr);

    /// Called with a part of a message.  `data` is valid for the call.
    /// Throws: NotImplementedError, unless overridden.  So does found_terminator().
    virtual void collect_incoming_data(std::string_view data);
    /// What an override of collect_incoming_data() may call: keeps the data for _get_data().
    void _collect_incoming_data(std::string_view data) { incoming.append(data); }
    /// Returns the data that was kept, and forgets it.
    std::string _get_data();
    /// Called when the message that was collected is complete.
    virtual void found_terminator();

    /// Sets what ends the next message: `none`, a number of bytes, or a delimiter.  0, empty bytes
    /// and none all mean that data is collected as it comes, and that found_terminator() is not
    /// called.  A new terminator takes effect at once, in found_terminator() too, for bytes that were
    /// received already.  A number is counted down to 0, a delimiter stays.
    ///
    /// Throws: std::invalid_argument for a negative number.
    virtual void set_terminator(terminator_t term);
    virtual terminator_t& get_terminator() { return terminator; }

    /// Reads once, and calls collect_incoming_data() and found_terminator() for the bytes that came.
    void handle_read() override;
    void handle_write() override;
    void handle_close() override;

    /// Queues a copy of `data` in pieces of ac_out_buffer_size, and calls initiate_send(), unless
    /// coalesce_ delays it.  Differs: D24 - Python keeps a reference to a bytearray.
    ///
    /// Hazard: if the peer is gone, handle_close() runs inside this call.  A loop that pushes to all
    /// sessions walks over a copy of its list of sessions, or each session has send_later_ set.
    virtual void push(std::string_view data);
    /// A literal is all its bytes: push("ready\0") queues six.  A `char text[]` ends at its first zero byte.
    /// A class that overrides push() needs `using async_chat::push;` for that.
    template <asyncore::character Char, std::size_t N>
    void push(Char (&array)[N]) {
        push(asyncore::bytes_of(array));
    }
    void push(std::nullptr_t) = delete;            // push("0")?  close_when_done()?
    void push(const char*, std::size_t) = delete;  // push({data, size})
    /// Queues a producer, and calls initiate_send() as push() does.  A null pointer means: close the
    /// channel here.
    ///
    /// While a producer is not_done_yet_(), and has no bytes, the queue waits for more_to_send_().
    virtual void push_with_producer(std::shared_ptr<producer> source);
    template <std::derived_from<producer> Producer>
    void push_with_producer(Producer source) {
        push_with_producer(
            std::shared_ptr<producer>(std::make_shared<Producer>(std::move(source))));
    }
    /// Bytes are a producer too: queues a copy of `data` in one piece.
    virtual void push_with_producer(std::string_view data);
    template <asyncore::character Char, std::size_t N>
    void push_with_producer(Char (&array)[N]) {
        push_with_producer(asyncore::bytes_of(array));
    }
    /// Sends, or leaves that to a later turn, as push() does when it has queued something.  Call it after
    /// you gave bytes to a producer that was not_done_yet_(), and after you ended such a producer.
    void more_to_send_();

    bool readable() override;
    bool writable() override;
    void handle_eof_() override;

    /// Has handle_close() called when everything that is queued now has been sent.  If the queue is
    /// empty, that is in the next turn.
    virtual void close_when_done();
    /// Called when more than queue_limit_ bytes wait after a push() that sent what it could: the peer does
    /// not read.  By default this logs, and calls handle_close().
    virtual void handle_queue_limit_();
    /// Sends from the queue, with at most one send().
    virtual void initiate_send();
    /// Forgets what was received and what is queued.  Meant for emergencies.
    virtual void discard_buffers();

    template <class T>
    static consteval auto hidden_in_();

private:
    /// No more bytes than this are queued: the last count of the queue, and what was pushed since.
    std::size_t queued_at_most_ = 0;

    using alive = asyncore::alive;
    void release_idle_memory_();
    void rest_if_in_vain_();
    void collect_copy_(std::string_view data);
    void collect_(std::string_view data);
    void parse_(std::size_t left_over, const alive& still_here);
    bool collect_all_(std::string_view data, const alive& still_here);
    bool collect_number_(std::string_view data, std::ptrdiff_t n, const alive& still_here);
    bool collect_until_(std::string_view data, terminator_t& wanted, std::size_t left_over,
                        const alive& still_here);
    void join_last_(std::string_view data);
    bool waits_for_producer_();
    void send_within_limit_();
    void send_and_count_();
    bool ask_first_producer_(const alive& still_here);
    void send_first_(const asyncore::held_bytes& first, const alive& still_here);
};

}  // namespace asynchat

template <>
inline constexpr bool asyncore::predicates_follow_state<asynchat::async_chat> = true;

#include <asynchat/hidden_members.hpp>
