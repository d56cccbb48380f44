// Dialogues with the channels of the port of smtpd in docs/examples: a command has one reply, the
// replies are the same however the dialogue was cut into pieces, and a channel holds no more than its
// limits allow.
#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <type_traits>

#include "hardened_channel.hpp"
#include "protocol.hpp"

namespace {

using fuzz::fail;

constexpr std::string_view phrases[] = {
    "\r\n",
    "HELO ",
    "EHLO ",
    "MAIL FROM:",
    "RCPT TO:",
    "DATA\r\n",
    "RSET\r\n",
    "QUIT\r\n",
    "NOOP\r\n",
    "VRFY ",
    "EXPN ",
    "HELP ",
    "HELO a\r\n",
    "EHLO a\r\n",
    "MAIL FROM:<a@b>\r\n",
    "RCPT TO:<c@d>\r\n",
    "\r\n.\r\n",
    ".",
    "\r\n..",
    "<a@b>",
    "a@b",
    " SIZE=",
    " BODY=8BITMIME",
    " SMTPUTF8",
    "100",
    "\xc3\xa9",
    "\"",
    "(",
    ")",
    "@[",
    "]",
    "=?utf-8?q?",
    "?=",
    "mail from:",
    "HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
    "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((",
    "\n",
    "\r",
    "<>"};

/// Whether a channel kept only the beginning of a command: how much it kept depends on the pieces.
bool cut_short = false;

struct setting {
    smtpd::keywords given;
    bool hardened, short_commands;
    std::string text;
};

/// Delivers nothing, and notes what came.  It has no socket.
class server : public smtpd::SMTPServer {
public:
    std::string messages;
    std::string process_message(const asyncore::address&, const std::string& mailfrom,
                                const py::list& rcpttos, const std::string& data,
                                const smtpd::options&) override {
        messages += mailfrom + ">" + py::join(",", rcpttos) + ":" + data + "\n";
        return data.starts_with("4") ? "450 Later" : "";
    }
};

template <class Channel>
class checked : public Channel {
public:
    static constexpr bool hardened = std::is_same_v<Channel, smtpd::hardened_channel>;

    template <class... Arguments>
    explicit checked(const setting& given, Arguments&&... arguments)
        : Channel(std::forward<Arguments>(arguments)...) {
        if (given.short_commands) this->command_size_limit = 40;
    }

    void push(std::string_view msg) override {
        Channel::push(msg);
        const bool is_reply = msg.size() > 3 && msg.find_first_not_of("0123456789") == 3;
        if (!is_reply || msg.find("\r\n") != msg.npos) fail("no reply: " + std::string(msg));
        if (msg[3] == ' ') ++replies_;
        else if (msg[3] != '-') fail("no reply: " + std::string(msg));
    }
    void collect_incoming_data(std::string_view data) override {
        Channel::collect_incoming_data(data);
        std::size_t held = this->ac_in_buffer_size;
        for (const auto& each : this->received_lines) held += each.size();
        const auto limit = this->smtp_state == Channel::DATA ? this->data_size_limit
                                                             : this->max_command_size_limit();
        if (this->smtp_state == Channel::COMMAND && this->num_bytes > limit) cut_short = true;
        const auto most = static_cast<std::size_t>(limit) + 2 * this->ac_in_buffer_size;
        if (limit != 0 && held > most) fail("the channel holds " + std::to_string(held) + " bytes");
    }
    void found_terminator() override {
        const auto before = replies_;
        const bool ignores = hardened && left_;
        Channel::found_terminator();
        if (replies_ - before != (ignores ? 0 : 1))
            fail(std::to_string(replies_ - before) + " replies to a command");
        if (hardened && this->limits_->size() > 2) fail("the dict of limits grows");
    }
    void smtp_QUIT(const smtpd::argument& arg) override {
        left_ = true;
        Channel::smtp_QUIT(arg);
    }
    void handle_error() override {
        if (hardened) fail("a hardened channel failed");
        Channel::handle_error();
    }
    void log_info(std::string_view, std::string_view) override {}

private:
    int replies_ = 0;
    bool left_ = false;
};

/// What a client hears that says the text in pieces, and what is delivered.
template <class Channel, class... More>
std::string dialogue(const setting& given, fuzz::cutter pieces, More&... more) {
    server of_channel;
    auto [ours, theirs] = asyncore::socket_t::pair();
    const auto channel = asyncore::spawn<checked<Channel>>(given, more..., of_channel,
                                                           std::move(theirs), "peer", given.given);
    fuzz::client client(std::move(ours));
    std::string_view text = given.text;
    while (!text.empty() && !client.closed) client.say(pieces.next(text), *channel);
    const bool closed = client.closed;
    client.end(*channel);
    if (!client.closed) fail("the channel is open after its client has left");
    // After QUIT, Python's channel goes on to take commands, and even messages, until the reply is
    // sent; so what it delivers depends on the pieces.
    const auto delivered = checked<Channel>::hardened ? of_channel.messages : "";
    return client.heard + (closed ? "closed " : "open ") + delivered;
}

std::string dialogue(const setting& given, fuzz::cutter pieces) {
    if (!given.hardened) return dialogue<smtpd::SMTPChannel>(given, pieces);
    smtpd::hardened_channels channels;
    return dialogue<smtpd::hardened_channel>(given, pieces, channels);
}

setting setting_from(fuzz::decisions& input) {
    setting result{};
    const auto flags = input.next();
    result.hardened = (flags & 1) != 0;
    result.given.decode_data = (flags & 6) == 2;
    result.given.enable_SMTPUTF8 = (flags & 6) == 4;
    result.given.data_size_limit = (flags & 8) != 0 ? 100 : (flags & 16) != 0 ? 0 : 1000;
    result.short_commands = (flags & 32) != 0;
    return result;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::decisions input(data, size);
    auto given = setting_from(input);
    const auto most = input.next(1, 32), seed = input.next();
    given.text = fuzz::text_of(input, phrases);
    cut_short = false;
    const auto whole = dialogue(given, {1 << 30, 0}), in_pieces = dialogue(given, {most, seed});
    // Python's channel decodes each piece, and goes on with a command that it has cut short.
    const bool is_ascii = std::all_of(given.text.begin(), given.text.end(),
                                      [](char c) { return static_cast<unsigned char>(c) < 128; });
    if (given.hardened || (is_ascii && !cut_short))
        fuzz::check_same("replies to one piece, and to many", whole, in_pieces);
    return 0;
}
