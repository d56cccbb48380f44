// What the proxy knows of IMAP, POP3 and SMTP: only what stands before the login, and STARTTLS.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace proxy {

/// One step of the proxy's own talk with a server.
struct step {
    std::string_view wanted;   // how the server's line must begin
    std::string_view skipped;  // lines that begin so are read over; empty: none is
    std::string_view say;      // what the proxy says next, without the end of the line
};

/// A line of a client, cut up.
struct command {
    std::string tag;   // IMAP only
    std::string verb;  // in capitals
};

/// The words of one protocol.  In an answer, % stands for the tag of the command.
struct words {
    std::string_view name;
    bool has_tags = false;

    /// Commands that a client says before it logs in or sends mail, with the answers of a proxy that does not talk to
    /// a server yet.
    std::map<std::string_view, std::string_view> prologue;
    std::string_view starttls, go_ahead;  // the command, and the answer to it
    std::string_view quit;                // the command after which the connection ends
    std::string_view must_starttls;       // the answer to every other command
    std::string_view greeting;            // the proxy's own
    std::string_view sorry;               // there is no server

    /// What the proxy says to a server, and must hear, up to TLS.  The first step is the server's greeting.
    std::vector<step> steps;

    /// What the client is to see of a line of the server: not that the server has STARTTLS.  `held` keeps a line
    /// until the next one has come.
    std::string (*shown)(std::string line, std::string& held) = nullptr;

    /// Whether the proxy reads the lines before the login.  If not, it relays all bytes unread.
    bool has_lines() const { return !prologue.empty(); }
    command parse(std::string_view line) const;
    bool is_prologue(const command& given) const;
    std::string answer(const command& given) const;
};

/// Throws: std::invalid_argument if the name is not "imap", "pop3", "smtp" or "tcp".
const words& words_of(std::string_view name);

/// The line without the end of a line.
std::string_view without_end(std::string_view line);

}  // namespace proxy
