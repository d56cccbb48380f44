// Python: Lib/asynchat.py, class async_chat.  What a hardened map does beyond Python is in hardening.cpp.
//
// A hook may destroy the channel, so each method looks at `still_here` after it called a hook.  The view
// that a hook gets is valid for the call; byte_buffer.hpp says why.
#include <asynchat/async_chat.hpp>

#include <asyncore/errors.hpp>

#include <algorithm>

namespace asynchat {

using asyncore::alive;
using asyncore::byte_buffer;
using asyncore::held_bytes;

constinit std::uint32_t async_chat::default_ac_in_buffer_size = 4096;
constinit std::uint32_t async_chat::default_ac_out_buffer_size = 4096;
constinit std::size_t async_chat::default_queue_limit_ = 0;

namespace {

bool would_block(const std::system_error& error) {
    const int code = error.code().value();
    return asyncore::platform::would_block(code) || code == EINPROGRESS || code == EALREADY;
}

/// Sets a flag of a channel for the time of a call.
struct set_for_a_call {
    bool& flag;
    const alive& still_here;
    const bool before = std::exchange(flag, true);
    ~set_for_a_call() {
        if (still_here) flag = before;
    }
};

/// The length of Python's data[:n], where a negative n counts from the end.
std::size_t slice_length(std::ptrdiff_t n, std::size_t size) {
    if (n < 0) n += static_cast<std::ptrdiff_t>(size);
    return n < 0 ? 0 : std::min(static_cast<std::size_t>(n), size);
}

}  // namespace

void async_chat::init(asyncore::socket_t sock, asyncore::channel_map* map) {
    const alive still_here(*this);
    async_chat::discard_buffers();
    if (still_here) dispatcher::init(std::move(sock), map);
}

void async_chat::collect_incoming_data(std::string_view) {
    throw asyncore::NotImplementedError("must be implemented in subclass");
}

std::string async_chat::_get_data() {
    auto data = incoming.str();
    incoming.clear();
    return data;
}

void async_chat::found_terminator() {
    throw asyncore::NotImplementedError("must be implemented in subclass");
}

void async_chat::set_terminator(terminator_t term) {
    if (term.number() < 0)
        throw std::invalid_argument("the number of received bytes must be positive");
    terminator = std::move(term);
}

void async_chat::handle_read() {
    const alive still_here(*this);
    asyncore::read_block block(ac_in_buffer_size);
    std::size_t count = 0;
    try {
        count = recv(block.span());
    } catch (const std::system_error& error) {
        if (!still_here) throw;
        if (!would_block(error)) return handle_error();
        ++in_vain_;
        return rest_if_in_vain_();
    }
    if (!still_here) return;
    in_vain_ = 0;
    const auto left_over = ac_in_buffer.size();
    block.append_to(ac_in_buffer, count);
    parse_(left_over, still_here);
    if (still_here && coalesce_ && !parsing_ && !producer_fifo.empty()) more_to_send_();
    if (still_here) release_idle_memory_();
}

/// Delivers what ac_in_buffer has.  Looks at the buffer anew after each hook, since a hook may change it.
inline void async_chat::parse_(std::size_t left_over, const alive& still_here) {
    const set_for_a_call scope{parsing_, still_here};
    bool more = true;
    while (more && !ac_in_buffer.empty()) {
        const held_bytes data(ac_in_buffer);
        auto& wanted = get_terminator();
        if (!wanted) more = collect_all_(data.view(), still_here);
        else if (wanted.is_number())
            more = collect_number_(data.view(), wanted.number(), still_here);
        else more = collect_until_(data.view(), wanted, left_over, still_here);
        left_over = 0;
    }
}

/// An idle channel holds no memory but the bytes that are not delivered yet.
inline void async_chat::release_idle_memory_() {
    ac_in_buffer.unshare();
    if (incoming.empty()) incoming.release();
    if (producer_fifo.empty()) producer_fifo.clear();
}

inline void async_chat::collect_(std::string_view data) {
    if (_map->check_promises) collect_copy_(data);
    else collect_incoming_data(data);
}

// Each of the next three methods delivers a message or a part of it, and returns whether parsing goes on.

inline bool async_chat::collect_all_(std::string_view data, const alive& still_here) {
    collect_(data);
    if (!still_here) return false;
    ac_in_buffer.release();
    return true;
}

inline bool async_chat::collect_number_(std::string_view data, std::ptrdiff_t n,
                                        const alive& still_here) {
    const auto lb = static_cast<std::ptrdiff_t>(data.size());
    if (lb < n) {
        const bool goes_on = collect_all_(data, still_here);
        if (!goes_on) return false;
        // Differs: D12 - if the hook set a terminator of another kind, that one stands.
        if (terminator.is_number()) terminator = terminator.number() - lb;
        return true;
    }
    // n is negative if a hook set a number smaller than the bytes that it had just been given.
    collect_(data.substr(0, slice_length(n, data.size())));
    if (!still_here) return false;
    ac_in_buffer.consume(slice_length(n, ac_in_buffer.size()));
    terminator = 0;
    found_terminator();
    return static_cast<bool>(still_here);
}

/// Three cases: the data has the whole terminator; it ends with the beginning of the terminator, which
/// stays in ac_in_buffer for the next read; or it has nothing of the terminator.  find_in() does the work
/// of Python's find() and find_prefix_at_end() in one pass.
inline bool async_chat::collect_until_(std::string_view data, terminator_t& wanted,
                                       std::size_t left_over, const alive& still_here) {
    const auto terminator_len = wanted.delimiter().size();  // before a hook replaces `wanted`
    const auto [index, whole] = wanted.find_in(data, left_over);
    if (index > 0) collect_(data.substr(0, index));  // empty parts are not reported
    if (!still_here) return false;
    if (whole) {
        ac_in_buffer.consume(index + terminator_len);
        found_terminator();
        return static_cast<bool>(still_here);
    }
    const auto prefix = data.size() - index;
    if (index > 0)
        ac_in_buffer.consume(ac_in_buffer.size() - std::min(prefix, ac_in_buffer.size()));
    return prefix == 0;
}

void async_chat::handle_write() {
    if (producer_fifo.empty() && connected) return initiate_send();
    const alive still_here(*this);
    ++in_vain_;
    send_within_limit_();  // this sets in_vain_ to 0 if a byte is sent
    if (still_here) rest_if_in_vain_();
}

void async_chat::handle_close() { close(); }

void async_chat::push(std::string_view data) {
    if (coalesce_ && parsing_) return join_last_(data);
    const std::size_t sabs = ac_out_buffer_size;
    if (data.size() > sabs) {
        if (sabs == 0) throw std::invalid_argument("ac_out_buffer_size is 0");
        for (std::size_t i = 0; i < data.size(); i += sabs)
            producer_fifo.append_bytes(data.substr(i, sabs));
    } else producer_fifo.append_bytes(data);
    queued_at_most_ += data.size();
    more_to_send_();
}

/// Adds to the last bytes of the queue, so that one send() takes both.
inline void async_chat::join_last_(std::string_view data) {
    auto* last = producer_fifo.empty() ? nullptr : std::get_if<byte_buffer>(&producer_fifo.back());
    if (!last || last->shared()) return push_with_producer(data);  // a send() of it is under way
    last->append(data);
    queued_at_most_ += data.size();
}

void async_chat::push_with_producer(std::shared_ptr<producer> source) {
    if (source) producer_fifo.append(std::move(source));
    else producer_fifo.append(none);
    more_to_send_();
}

void async_chat::push_with_producer(std::string_view data) {
    producer_fifo.append_bytes(data);
    queued_at_most_ += data.size();
    more_to_send_();
}

void async_chat::more_to_send_() {
    waiting_ = false;
    if (send_later_ || (coalesce_ && parsing_)) interest_changed_();
    else send_within_limit_();
}

/// initiate_send(), and after it handle_queue_limit_() if too many bytes wait.
inline void async_chat::send_within_limit_() {
    if (queue_limit_ == 0 || queued_at_most_ <= queue_limit_) return initiate_send();
    send_and_count_();
}

inline bool async_chat::waits_for_producer_() {
    return waiting_ && std::holds_alternative<std::shared_ptr<producer>>(producer_fifo.front());
}

bool async_chat::readable() { return true; }
bool async_chat::writable() {
    return !connected || (!producer_fifo.empty() && !waits_for_producer_());
}

void async_chat::close_when_done() {
    producer_fifo.append(none);
    interest_changed_();
}

void async_chat::initiate_send() {
    const alive still_here(*this);
    interest_changed_();
    waiting_ = false;
    while (still_here && !producer_fifo.empty() && connected) {
        auto& first = producer_fifo.front();
        if (std::holds_alternative<none_t>(first)) {
            producer_fifo.del_first();
            handle_close();
            return;
        }
        if (auto* bytes = std::get_if<byte_buffer>(&first)) {
            send_first_(held_bytes(*bytes), still_here);
            break;
        }
        const bool goes_on = ask_first_producer_(still_here);
        if (!goes_on) return;
    }
    if (still_here && !parsing_ && producer_fifo.empty()) producer_fifo.clear();
}

/// Puts the next bytes of the first producer before it; or takes the producer out, if it has no more.
/// Its destructor, at the end of this call, is the user's: it may destroy the channel.
/// Returns: whether the queue goes on: the producer is done, or has made bytes.
inline bool async_chat::ask_first_producer_(const alive& still_here) {
    const auto first = std::get<std::shared_ptr<producer>>(producer_fifo.front());
    auto data = first->more();
    if (!still_here) return false;
    if (data.empty()) {
        waiting_ = first->not_done_yet_();
        if (!waiting_ && !producer_fifo.empty()) producer_fifo.del_first();
        return !waiting_;
    }
    byte_buffer bytes;
    bytes.adopt(std::move(data));
    producer_fifo.appendleft(std::move(bytes));
    return true;
}

/// Sends some of the bytes at the front of the queue.  An override of send(), or a handle_close(),
/// may change the queue.
inline void async_chat::send_first_(const held_bytes& first, const alive& still_here) {
    if (first.size() == 0) producer_fifo.del_first();  // as Python, which then sends b''
    std::size_t num_sent = 0;
    try {
        const auto data = coalesce_ ? first.view() : first.view().substr(0, ac_out_buffer_size);
        num_sent = send(data);
    } catch (const std::system_error&) {
        if (!still_here) throw;
        handle_error();
        return;
    }
    if (!still_here || num_sent == 0) return;
    in_vain_ = 0;
    if (producer_fifo.empty()) return;  // Differs: D28
    if (num_sent < first.size())
        producer_fifo.front().emplace<byte_buffer>(first, num_sent);  // Python: first[num_sent:]
    else producer_fifo.del_first();
}

void async_chat::discard_buffers() {
    ac_in_buffer.release();
    incoming.release();
    interest_changed_();
    producer_fifo.clear();  // last: the destructor of a producer may destroy the channel
}

}  // namespace asynchat
