// Python: Lib/asynchat.py, class async_chat.
//
// Every call of a hook may destroy the channel: after it, `it` tells.
#include <asynchat/async_chat.hpp>

#include <asyncore/errors.hpp>

#include <algorithm>

namespace asynchat {

using asyncore::alive;
using asyncore::byte_buffer;

namespace {

/// A place to read into, the thread's: what is delivered at once needs no memory of its own.  A
/// hook that reads again takes another.
class read_space {
public:
    explicit read_space(std::size_t size) : bytes_(std::move(spare)), size_(size) {
        if (bytes_ && spare_size >= size) return;
        bytes_ = std::make_unique_for_overwrite<char[]>(size);
        spare_size = size;
    }
    ~read_space() { spare = std::move(bytes_); }
    read_space(const read_space&) = delete;
    read_space& operator=(const read_space&) = delete;
    std::span<char> span() { return {bytes_.get(), size_}; }

private:
    static thread_local std::unique_ptr<char[]> spare;
    static thread_local std::size_t spare_size;
    std::unique_ptr<char[]> bytes_;
    std::size_t size_;
};

thread_local std::unique_ptr<char[]> read_space::spare;
thread_local std::size_t read_space::spare_size = 0;

bool would_block(const std::system_error& error) {
    const int code = error.code().value();
    return code == EAGAIN || code == EWOULDBLOCK || code == EINPROGRESS || code == EALREADY;
}

/// Python: buffer[count:], which counts from the end if it is negative.
void drop_first(byte_buffer& buffer, std::ptrdiff_t count) {
    const auto size = static_cast<std::ptrdiff_t>(buffer.size());
    if (count < 0) count = std::max<std::ptrdiff_t>(size + count, 0);
    buffer.consume(static_cast<std::size_t>(count));
}

}  // namespace

void async_chat::init(asyncore::socket_t sock, asyncore::channel_map* map) {
    async_chat::discard_buffers();
    dispatcher::init(std::move(sock), map);
}

void async_chat::collect_incoming_data(std::string_view) {
    throw asyncore::NotImplementedError("must be implemented in subclass");
}

void async_chat::found_terminator() {
    throw asyncore::NotImplementedError("must be implemented in subclass");
}

std::string async_chat::_get_data() {
    auto data = incoming.str();
    incoming.clear();
    return data;
}

void async_chat::set_terminator(terminator_t term) {
    if (term.number() < 0)
        throw std::invalid_argument("the number of received bytes must be positive");
    terminator = std::move(term);
}

// ---------------------------------------------------------------------------
// Reading.  ac_in_buffer stands for what is not delivered yet, and during a read only borrows it:
// from the read_space, or from a string in the keeping of a loan.  So a hook may edit or discard
// it, and the view that the hook was given stays valid.
// ---------------------------------------------------------------------------

void async_chat::handle_read() {
    const alive it(*this);
    read_space space(ac_in_buffer_size);
    std::size_t count = 0;
    try {
        count = recv(space.span());
    } catch (const std::system_error& error) {
        if (!it) throw;
        if (!would_block(error)) handle_error();
        return;
    }
    if (!it) return;
    const std::string_view data(space.span().data(), count);
    const auto seen = ac_in_buffer.size();
    if (seen == 0) ac_in_buffer.borrow(data);
    else ac_in_buffer.append(data);
    parse_(seen, it);
    if (!it) return;
    // An idle channel holds no memory.
    if (incoming.empty()) incoming.release();
    if (producer_fifo.empty()) producer_fifo.clear();
}

/// Keeps the memory of a buffer that a hook may see, edit or discard.
class async_chat::loan_ {
public:
    loan_(byte_buffer& lender, const alive& it) noexcept : lender_(lender), it_(it) {}
    ~loan_() {
        if (!it_) return;
        try {
            lender_.settle(held_);
        } catch (const std::bad_alloc&) {
            lender_.release();  // there is no memory to keep it in, and nobody to tell
        }
    }
    loan_(const loan_&) = delete;
    loan_& operator=(const loan_&) = delete;
    /// Gives it back.  Throws: std::bad_alloc, if what is left cannot be kept.
    void settle() { lender_.settle(held_); }
    /// Takes what the buffer owns by now, if anything.
    void renew() {
        if (auto owned = lender_.lend()) held_ = std::move(owned);
    }

private:
    byte_buffer& lender_;
    const alive& it_;
    std::unique_ptr<std::string> held_;
};

inline void async_chat::parse_(std::size_t seen, const alive& it) {
    loan_ kept(ac_in_buffer, it);
    const bool outer = std::exchange(parsing_, true);
    try {
        while (!ac_in_buffer.empty()) {
            kept.renew();
            if (!parse_one_(std::exchange(seen, 0), it)) break;
        }
    } catch (...) {
        if (it) parsing_ = outer;
        throw;
    }
    if (!it) return;
    parsing_ = outer;
    kept.settle();
    if (coalesce_ && !parsing_ && !producer_fifo.empty()) initiate_send();
}

/// Delivers a message, or the part of one that has come.
/// Returns: false if that is all: what is left may begin a delimiter, or the channel is gone.
inline bool async_chat::parse_one_(std::size_t seen, const alive& it) {
    auto& wanted = get_terminator();
    if (wanted.number() != 0) return parse_count_(wanted.number(), it);
    if (!wanted.delimiter().empty()) return parse_delimiter_(wanted, seen, it);
    collect_incoming_data(ac_in_buffer);
    if (it) ac_in_buffer.release();
    return static_cast<bool>(it);
}

inline bool async_chat::parse_count_(std::ptrdiff_t count, const alive& it) {
    const auto size = static_cast<std::ptrdiff_t>(ac_in_buffer.size());
    if (size < count) {
        collect_incoming_data(ac_in_buffer);
        if (!it) return false;
        ac_in_buffer.release();
        // Differs: D12 - if the hook set another kind of terminator, that stands.
        if (terminator.is_number()) terminator = terminator.number() - size;
        return true;
    }
    // Counted down after collect_incoming_data() set a smaller number, it is negative.
    const auto end = count < 0 ? std::max<std::ptrdiff_t>(size + count, 0) : count;
    collect_incoming_data(ac_in_buffer.view().substr(0, static_cast<std::size_t>(end)));
    if (!it) return false;
    drop_first(ac_in_buffer, count);
    terminator = 0;
    found_terminator();
    return static_cast<bool>(it);
}

inline bool async_chat::parse_delimiter_(terminator_t& wanted, std::size_t seen, const alive& it) {
    const auto length = wanted.delimiter().size();  // a hook may replace `wanted`
    const auto [before, whole] = wanted.find_in(ac_in_buffer, seen);
    const auto rest = ac_in_buffer.size() - before;
    // An empty part is not reported.
    if (before > 0) collect_incoming_data(ac_in_buffer.view().substr(0, before));
    if (!it) return false;
    if (whole) {
        ac_in_buffer.consume(before + length);
        found_terminator();
        return static_cast<bool>(it);
    }
    if (before > 0) ac_in_buffer.consume(ac_in_buffer.size() - std::min(rest, ac_in_buffer.size()));
    return rest == 0;
}

void async_chat::handle_write() { initiate_send(); }

void async_chat::handle_close() { close(); }

// ---------------------------------------------------------------------------
// Sending.
// ---------------------------------------------------------------------------

void async_chat::push(std::string_view data) {
    if (coalesce_ && parsing_) return join_last_(data);
    const std::size_t sabs = ac_out_buffer_size;
    if (data.size() > sabs && sabs == 0) throw std::invalid_argument("ac_out_buffer_size is 0");
    // The queue borrows the bytes: most often they are sent before they need be copied.
    std::size_t pieces = 0;
    const alive it(*this);
    try {
        for (auto rest = data; pieces == 0 || !rest.empty(); ++pieces) {
            producer_fifo.append_borrowed(rest.substr(0, sabs));
            rest.remove_prefix(std::min(rest.size(), sabs));
        }
        queued_();
    } catch (...) {
        if (it) producer_fifo.own(pieces);
        throw;
    }
    if (it) producer_fifo.own(pieces);
}

/// Adds to the last bytes of the queue, to leave with them.
inline void async_chat::join_last_(std::string_view data) {
    auto* last = producer_fifo.empty() ? nullptr : std::get_if<byte_buffer>(&producer_fifo.back());
    if (last) last->append(data);
    else push_with_producer(data);
}

void async_chat::push_with_producer(std::shared_ptr<producer> made) {
    if (made) producer_fifo.append(std::move(made));
    else producer_fifo.append(none);
    queued_();
}

void async_chat::push_with_producer(std::string_view data) {
    producer_fifo.append(byte_buffer(data));
    queued_();
}

inline void async_chat::queued_() {
    interest_changed();
    if (!coalesce_ || !parsing_) initiate_send();
}

bool async_chat::readable() { return true; }

bool async_chat::writable() { return !producer_fifo.empty() || !connected; }

void async_chat::close_when_done() {
    producer_fifo.append(none);
    interest_changed();
}

void async_chat::initiate_send() {
    const alive it(*this);
    interest_changed();
    while (!producer_fifo.empty() && connected) {
        auto& first = producer_fifo.front();
        if (std::holds_alternative<none_t>(first)) {
            producer_fifo.popleft();
            handle_close();
            return;
        }
        if (std::holds_alternative<byte_buffer>(first)) {
            send_first_(it);
            break;
        }
        const auto made = std::get<std::shared_ptr<producer>>(first);
        auto data = made->more();
        if (!it) return;
        if (!data.empty()) {
            byte_buffer bytes;
            bytes.adopt(std::move(data));
            producer_fifo.appendleft(std::move(bytes));
        } else if (!producer_fifo.empty()) {
            producer_fifo.popleft();
        }
    }
    if (it && !parsing_ && producer_fifo.empty()) producer_fifo.clear();
}

/// Sends some of the bytes that the queue begins with.  Their memory is kept here meanwhile: an
/// override of send(), or a handle_close(), may discard the queue.
inline void async_chat::send_first_(const alive& it) {
    auto& first = std::get<byte_buffer>(producer_fifo.front());
    const auto bytes = first.view();
    auto memory = first.lend();
    if (bytes.empty()) producer_fifo.popleft();  // and yet it is sent, as Python does
    std::size_t num_sent = 0;
    try {
        num_sent = send(coalesce_ ? bytes : bytes.substr(0, ac_out_buffer_size));
    } catch (const std::system_error&) {
        if (!it) throw;
        sent_(bytes, 0, memory);
        handle_error();
        return;
    } catch (...) {
        if (it) sent_(bytes, 0, memory);
        throw;
    }
    if (it) sent_(bytes, num_sent, memory);
}

/// Ends send_first_(): drops what was sent, and gives the rest its memory back.
inline void async_chat::sent_(std::string_view bytes, std::size_t count,
                              std::unique_ptr<std::string>& memory) {
    if (bytes.empty()) return;
    auto* first =
        producer_fifo.empty() ? nullptr : std::get_if<byte_buffer>(&producer_fifo.front());
    if (first && first->view().data() == bytes.data() && first->size() == bytes.size()) {
        if (memory) first->settle(memory);
        first->consume(count);
        if (first->empty()) producer_fifo.popleft();
        return;
    }
    // The queue was changed meanwhile.  What stands for these bytes in it gets a copy; and, as in
    // Python, what is left of them takes the place of whatever is first now.
    producer_fifo.own(producer_fifo.size());
    if (count == 0 || producer_fifo.empty()) return;
    producer_fifo.popleft();
    if (count < bytes.size()) producer_fifo.appendleft(byte_buffer(bytes.substr(count)));
}

void async_chat::discard_buffers() {
    ac_in_buffer.release();
    incoming.release();
    producer_fifo.clear();
    interest_changed();
}

}  // namespace asynchat
