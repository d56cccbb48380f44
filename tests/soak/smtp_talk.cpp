#include "talk.hpp"

#include <algorithm>
#include <charconv>

namespace chaos {

namespace {

constexpr std::uint64_t messages_of_client = 8;  // at most

class smtp final : public talk {
public:
    smtp(std::uint64_t client, manner how, dice& choose, ledger& mail, std::string from)
        : mail_(mail),
          from_(std::move(from)),
          lockstep_(how != manner::flood && how != manner::drown) {
        exchange("", {"220 *"});
        if (how == manner::garbage) say_garbage(choose);
        else if (how == manner::drown) drown();
        else send_messages(client, how, choose);
        if (how != manner::drown) exchange("QUIT\r\n", {"221 Bye"});
        after_saying();
    }

    void hear(std::string_view data) override {
        while (!data.empty()) {
            const auto end = data.find('\n');
            line_ += data.substr(0, end);
            if (end == data.npos) return;
            data.remove_prefix(end + 1);
            hear_line();
            line_.clear();
        }
    }
    bool heard_all() const override { return at_ == steps_.size(); }
    bool server_ends() const override { return true; }

private:
    struct step {
        std::size_t end;                   // of what is said, in text_
        std::vector<std::string> replies;  // the lines; '*' at the end stands for any text
        std::uint64_t message;             // that the reply accepts, or none
        std::size_t most_lines;
    };
    static constexpr auto none = ~std::uint64_t{0};

    void exchange(const std::string& say, std::vector<std::string> replies,
                  std::uint64_t message = none, std::size_t most_lines = 0) {
        text_ += say;
        steps_.push_back({text_.size(), std::move(replies), message, most_lines});
    }

    void send_messages(std::uint64_t client, manner how, dice& choose) {
        const bool is_slow = how == manner::single_bytes || how == manner::slow_writer ||
                             how == manner::tiny_window || how == manner::slow_reader;
        if (choose.one_in(2)) exchange("HELO client\r\n", {"250 *"});
        else
            exchange("EHLO client\r\n", {"250-*", "250-SIZE 33554432", "250-8BITMIME", "250 HELP"});
        const auto count = choose.between(0, is_slow ? 1 : 4);
        for (std::size_t i = 0; i < count; ++i) {
            if (choose.one_in(4)) say_something_else(choose);
            const auto name = std::to_string(client) + "." + std::to_string(i);
            exchange("MAIL FROM:<" + name + "@example.com>\r\n", {"250 OK"});
            for (auto left = choose.between(1, 3); left > 0; --left)
                exchange("RCPT TO:<b" + std::to_string(left) + "@example.com>\r\n", {"250 OK"});
            exchange("DATA\r\n", {"354 End data with <CR><LF>.<CR><LF>"});
            send_message(client * messages_of_client + i, is_slow ? 5 : choose.small_or_large(400));
        }
    }

    void send_message(std::uint64_t id, std::size_t most_lines) {
        std::string said;
        for (const auto& line : mail_.message(id, most_lines))
            said += (line.starts_with('.') ? "." : "") + line + "\r\n";
        exchange(said + ".\r\n", {"250 OK"}, id, most_lines);
    }

    void say_something_else(dice& choose) {
        switch (choose.between(0, 4)) {
        case 0:
            return exchange("NOOP\r\n", {"250 OK"});
        case 1:
            return exchange("RSET\r\n", {"250 OK"});
        case 2:
            return exchange("RCPT TO:<b@example.com>\r\n", {"503 Error: need MAIL command"});
        case 3:
            return exchange("EXPN list\r\n", {"502 EXPN not implemented"});
        default:
            return exchange("VRFY <c@example.com>\r\n",
                            {"252 Cannot VRFY user, but will accept message and attempt delivery"});
        }
    }

    /// Lines that are no command, each with one reply.
    void say_garbage(dice& choose) {
        for (auto left = choose.small_or_large(200); left > 0; --left) {
            auto line = "x" + random_text(choose, choose.between(0, 600));
            const auto command = upper(line.substr(0, line.find(' ')));
            const bool is_long = line.size() > 512;
            exchange(line + "\r\n",
                     {is_long ? "500 Error: line too long"
                              : "500 Error: command \"" + command + "\" not recognized"});
        }
    }

    /// The replies are longer than the commands.
    void drown() {
        while (text_.size() < 4 << 20) text_ += "HELP\r\n";
        exchange("", {});
    }

    static std::string upper(std::string text) {
        for (auto& c : text)
            if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
        return text;
    }

    void hear_line() {
        if (at_ == steps_.size()) throw mismatch("a reply that answers nothing: " + line_);
        const auto& now = steps_[at_];
        if (said_ < now.end) throw mismatch("a reply before the command is whole: " + line_);
        const auto& wanted = now.replies[reply_];
        const bool is_open = wanted.ends_with('*');
        const bool is_right = is_open ? line_.starts_with(wanted.substr(0, wanted.size() - 1)) &&
                                            line_.ends_with('\r')
                                      : line_ == wanted + "\r";
        if (!is_right) throw mismatch("the reply is not '" + wanted + "': " + line_);
        if (++reply_ < now.replies.size()) return;
        reply_ = 0;
        if (now.message != none) mail_.accepted(now.message);
        ++at_;
        after_saying();
    }

    void after_saying() override {
        while (sent_ < steps_.size() && steps_[sent_].end <= said_) {
            const auto& whole = steps_[sent_];
            if (whole.message != none) mail_.sent(whole.message, whole.most_lines, from_);
            ++sent_;
        }
        may_say_ = lockstep_ && at_ < steps_.size() ? steps_[at_].end : text_.size();
        may_say_ = std::max(may_say_, said_);
    }

    ledger& mail_;
    std::string from_;
    bool lockstep_;
    std::vector<step> steps_;
    std::size_t at_ = 0;     // the step whose reply is awaited
    std::size_t reply_ = 0;  // the line of that reply
    std::size_t sent_ = 0;   // the step whose text is not said yet
    std::string line_;
};

}  // namespace

std::unique_ptr<talk> smtp_talk(std::uint64_t client, manner how, dice& choose, ledger& mail,
                                const std::string& from) {
    return std::make_unique<smtp>(client, how, choose, mail, from);
}

// The messages.

std::vector<std::string> ledger::message(std::uint64_t id, std::size_t most_lines) const {
    dice choose(seed_ ^ (id * 0x2545f4914f6cdd1d));
    std::vector<std::string> lines{"Subject: soak " + std::to_string(id), ""};
    for (auto left = choose.between(0, most_lines); left > 0; --left) {
        auto line = random_text(choose, choose.between(0, 80));
        lines.push_back(choose.one_in(10) ? "." + line : line);
    }
    lines.emplace_back("end");
    return lines;
}

void ledger::sent(std::uint64_t id, std::size_t most_lines, const std::string& from) {
    entries_[id] = {most_lines, from};
}

void ledger::accepted(std::uint64_t id) {
    const auto found = entries_.find(id);
    found->second.accepted = true;
    if (found->second.printed) entries_.erase(found);
}

void ledger::printed(std::string_view data) {
    bytes_ += data.size();
    while (!data.empty()) {
        const auto end = data.find('\n');
        partial_ += data.substr(0, end);
        if (end == data.npos) return;
        data.remove_prefix(end + 1);
        line(partial_);
        partial_.clear();
    }
}

void ledger::line(std::string_view text) {
    if (text == "---------- MESSAGE FOLLOWS ----------") {
        if (in_message_) throw mismatch("a message begins within another one");
        in_message_ = true;
    } else if (text == "------------ END MESSAGE ------------") {
        in_message_ = false;
        check_message();
        message_.clear();
    } else if (in_message_) {
        message_.emplace_back(text);
    } else if (!text.starts_with("warning: unhandled incoming priority event") &&
               !text.starts_with("error: the peer does not read")) {
        throw mismatch("the server printed: " + std::string(text));
    }
}

/// The server prints the repr() of each line, and one line of its own: the client's address.
void ledger::check_message() {
    const std::string_view start = "b'Subject: soak ";
    if (message_.empty() || !message_[0].starts_with(start))
        throw mismatch("a message without its subject was delivered");
    std::uint64_t id = 0;
    std::from_chars(message_[0].data() + start.size(), message_[0].data() + message_[0].size(), id);
    const auto name = "message " + std::to_string(id);
    const auto found = entries_.find(id);
    if (found == entries_.end()) throw mismatch(name + " was delivered twice, or was never sent");
    auto& sent_one = found->second;
    if (std::exchange(sent_one.printed, true)) throw mismatch(name + " was delivered twice");
    auto wanted = message(id, sent_one.most_lines);
    wanted.insert(std::find(wanted.begin(), wanted.end(), ""), "X-Peer: " + sent_one.from);
    for (auto& each : wanted) each = "b'" + each + "'";
    if (message_ != wanted) throw mismatch(name + " was not delivered as it was sent");
    ++messages_;
    if (sent_one.accepted) entries_.erase(found);
}

std::size_t ledger::missing() const {
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [](const auto& each) {
            return each.second.accepted && !each.second.printed;
        }));
}

}  // namespace chaos
