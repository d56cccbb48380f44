#include "hardened_channel.hpp"

#include <stdexcept>
#include <utility>

namespace smtpd {

namespace {

bool is_utf8(const std::string& bytes) {
    try {
        py::decode_utf8(bytes);
        return true;
    } catch (const py::UnicodeError&) {
        return false;
    }
}

}  // namespace

hardened_channels::~hardened_channels() {
    while (!all.empty()) (*all.begin())->close();
}

SMTPServer::factory hardened_channels::factory() {
    return [this](SMTPServer& server, socket_t conn, const address& addr, const keywords& given) {
        asyncore::spawn<hardened_channel>(*this, server, std::move(conn), addr, given);
    };
}

void hardened_channels::loop(asyncore::channel_map* map) {
    while (!map->empty()) {
        // First come the clients that were late when the last turn began: that turn has served all
        // that had arrived until then, however long it took.
        if (now >= next_check_) check_times();
        now = clock::now();
        asyncore::loop({.timeout = 1.0, .map = map, .count = 1});
    }
}

void hardened_channels::check_times() {
    next_check_ = now + std::chrono::seconds(1);
    for (auto next = all.begin(); next != all.end();) {
        auto& channel = **next;
        ++next;  // first: a channel that closes takes itself out of the set
        try {
            channel.check_time();
        } catch (...) {
            channel.handle_error();
        }
    }
}

hardened_channel::hardened_channel(hardened_channels& channels, SMTPServer& server, socket_t sock,
                                   const address& from, const keywords& given)
    : SMTPChannel(server, std::move(sock), from, given), channels_(channels) {
    limits_ = &own_limits_;
    expect_();
    const bool client_has_left = _fileno < 0;
    if (client_has_left) return;
    channels_.all.insert(this);
    enrolled_ = true;
}

/// A channel that spawn() could not finish, because memory ran out, was never closed.  One that was
/// closed may live longer than `channels_`.
hardened_channel::~hardened_channel() {
    if (enrolled_) channels_.all.erase(this);
}

void hardened_channel::collect_incoming_data(std::string_view data) {
    if (leaving_) return;
    client_.move(channels_.now, data.size());
    // A piece may end inside a character, so the line is decoded when it is whole.
    const bool decode = std::exchange(_decode_data, false);
    try {
        SMTPChannel::collect_incoming_data(data);
    } catch (...) {
        _decode_data = decode;
        throw;
    }
    _decode_data = decode;
}

void hardened_channel::found_terminator() {
    if (leaving_) return;
    const bool too_much = smtp_state == DATA && data_size_limit && num_bytes > data_size_limit;
    take_line_();
    if (too_much) _set_post_data_state();
    if (!leaving_) expect_();
}

void hardened_channel::take_line_() {
    // The last line may have been a command that does not exist.
    std::erase_if(own_limits_, [](const auto& each) { return each.second == 512; });
    const bool is_command = smtp_state == COMMAND;
    const auto limit = is_command ? max_command_size_limit() : data_size_limit;
    const bool is_whole = limit == 0 || num_bytes <= limit;
    if (is_command && !is_whole) return refuse_("500 Error: line too long");
    if (_decode_data && is_whole && !is_utf8(py::join(_emptystring, received_lines)))
        return refuse_(is_command ? "501 Error: bad syntax" : "554 Error: this is not UTF-8");
    try {
        SMTPChannel::found_terminator();
    } catch (const std::logic_error&) {
        // In a command this is text that is not UTF-8, a reply that is not ASCII, or SIZE without a
        // number.  An exception of process_message() is for handle_error().
        if (!is_command) throw;
        push("501 Error: bad syntax");
    }
}

/// Answers a line that is not to be looked at.
void hardened_channel::refuse_(std::string_view reply) {
    received_lines.clear();
    num_bytes = 0;
    if (smtp_state == DATA) _set_post_data_state();
    push(reply);
}

std::pair<std::string, std::string> hardened_channel::_getaddr(const std::string& arg) {
    try {
        return SMTPChannel::_getaddr(arg);
    } catch (const std::runtime_error&) {  // HeaderParseError, RecursionError
        return {};
    } catch (const std::logic_error&) {  // where Python's parser fails in other ways
        return {};
    }
}

void hardened_channel::smtp_QUIT(const argument& arg) {
    SMTPChannel::smtp_QUIT(arg);
    leave_();
}

void hardened_channel::close() {
    if (std::exchange(enrolled_, false)) channels_.all.erase(this);
    SMTPChannel::close();
}

/// A command has to be whole in time; a message has to go on.
void hardened_channel::expect_() {
    const auto seconds = static_cast<std::uint64_t>(channels_.patience.count());
    const auto least = smtp_state == DATA ? seconds * channels_.least_rate : pace::no_number;
    client_.begin(channels_.now, channels_.patience, least);
}

/// The client has time to take the last reply.
void hardened_channel::leave_() {
    leaving_ = true;
    client_.begin(channels_.now, channels_.patience, pace::no_number);
}

void hardened_channel::check_time() {
    if (!client_.is_late(channels_.now)) return;
    if (leaving_) return close();
    push("421 " + fqdn + " Error: the client took too long");
    close_when_done();
    leave_();
}

}  // namespace smtpd
