// What a client says to a server, and what it must hear.
#pragma once

#include "chaos.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace chaos {

class talk {
public:
    talk() = default;
    virtual ~talk() = default;
    talk(const talk&) = delete;
    talk& operator=(const talk&) = delete;

    /// What may be said now.
    std::string_view to_say() const {
        return std::string_view(text_).substr(said_, may_say_ - said_);
    }
    void said(std::size_t count) {
        said_ += count;
        after_saying();
    }
    std::size_t bytes_said() const { return said_; }
    std::size_t size() const { return text_.size(); }
    bool said_all() const { return said_ == text_.size(); }

    /// Throws: mismatch if the server must not say this.
    virtual void hear(std::string_view data) = 0;
    virtual bool heard_all() const = 0;
    /// Whether the server closes the connection when all has been heard.
    virtual bool server_ends() const = 0;
    /// The client half-closes although it has not said all.
    /// Returns: whether it still must hear something until the end, or only may.
    virtual bool cut_off() { return false; }
    /// Whether an urgent byte may end the connection.
    virtual bool urgent_ends() const { return false; }
    /// Whether the client half-closes when it has said all.
    virtual bool half_closes() const { return false; }

protected:
    virtual void after_saying() {}

    std::string text_;
    std::size_t may_say_ = 0;
    std::size_t said_ = 0;
};

/// line_echo: every line comes back.
std::unique_ptr<talk> echo_talk(std::uint64_t client, manner how, dice& choose);

/// The files that an http_server serves.
class site {
public:
    explicit site(const std::string& folder);
    struct file {
        std::string name, content;
    };
    std::vector<file> files;  // in the order of their names
};
std::unique_ptr<talk> http_talk(const site& all, manner how, dice& choose);

/// Which messages smtpd has to deliver, and has delivered.
class ledger {
public:
    explicit ledger(std::uint64_t seed) : seed_(seed) {}

    /// What the client sends as its message: its lines, without the end.
    std::vector<std::string> message(std::uint64_t id, std::size_t most_lines) const;

    /// The server may have received the whole message.
    void sent(std::uint64_t id, std::size_t most_lines, const std::string& from);
    /// The server has said that it took the message.
    void accepted(std::uint64_t id);
    /// Takes what the server has printed.  Throws: mismatch.
    void printed(std::string_view data);
    /// How many messages were accepted, and not printed.
    std::size_t missing() const;
    std::uint64_t checked_messages() const { return messages_; }
    std::uint64_t checked_bytes() const { return bytes_; }

private:
    struct entry {
        std::size_t most_lines;
        std::string from;
        bool accepted = false, printed = false;
    };
    void line(std::string_view text);
    void check_message();

    std::uint64_t seed_;
    std::map<std::uint64_t, entry> entries_;
    std::string partial_;  // a line that has not ended yet
    bool in_message_ = false;
    std::vector<std::string> message_;  // the lines so far
    std::uint64_t messages_ = 0, bytes_ = 0;
};
std::unique_ptr<talk> smtp_talk(std::uint64_t client, manner how, dice& choose, ledger& mail,
                                const std::string& from);

/// Printable ASCII without the signs that Python's repr() escapes.
std::string random_text(dice& choose, std::size_t size);
/// Any bytes.
std::string random_bytes(dice& choose, std::size_t size);

}  // namespace chaos
