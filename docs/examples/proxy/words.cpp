#include "words.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace proxy {

namespace {

std::string in_capitals(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'a' && c <= 'z') c -= 32;
    return result;
}

/// Takes the first word off `line`.
std::string_view next_word(std::string_view& line) {
    const auto start = std::min(line.find_first_not_of(' '), line.size());
    const auto end = std::min(line.find(' ', start), line.size());
    const auto word = line.substr(start, end - start);
    line.remove_prefix(end);
    return word;
}

// The three ways in which a server says that it has STARTTLS.

/// IMAP: one word among others, in a line of its own or in brackets.
std::string shown_in_imap(std::string line, std::string&) {
    constexpr std::string_view word = " STARTTLS";
    const auto text = in_capitals(line);
    if (text.find("CAPABILITY ") == std::string::npos) return line;
    const auto at = text.find(word);
    if (at != std::string::npos) line.erase(at, word.size());
    return line;
}

/// POP3: a line of the list.
std::string shown_in_pop3(std::string line, std::string&) {
    return in_capitals(without_end(line)) == "STLS" ? "" : line;
}

/// SMTP: a line of the list, which may be the last one.  The line before it must then become the last one, so each
/// line that is not the last one is held.
std::string shown_in_smtp(std::string line, std::string& held) {
    const auto text = without_end(line);
    const bool is_last = text.size() < 4 || text[3] != '-';
    const bool is_starttls = text.size() > 4 && in_capitals(text.substr(4)) == "STARTTLS";
    if (is_starttls && !is_last) return "";
    if (is_starttls && !held.empty()) {
        held[3] = ' ';
        line.clear();
    }
    auto before = std::exchange(held, "");
    if (is_last) return before + line;
    held = std::move(line);
    return before;
}

// The protocols.

const words imap{
    .name = "imap",
    .has_tags = true,
    .prologue = {{"CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n% OK done\r\n"},
                 {"ID", "* ID NIL\r\n% OK done\r\n"},
                 {"LOGOUT", "* BYE\r\n% OK done\r\n"},
                 {"NOOP", "% OK done\r\n"}},
    .starttls = "STARTTLS",
    .go_ahead = "% OK begin TLS\r\n",
    .quit = "LOGOUT",
    .must_starttls = "% BAD say STARTTLS first\r\n",
    .greeting = "* OK proxy ready\r\n",
    .sorry = "* BYE the server cannot be reached\r\n",
    .steps = {{"* OK", "", "p STARTTLS"}, {"p OK", "* ", ""}},
    .shown = shown_in_imap,
};

const words pop3{
    .name = "pop3",
    .has_tags = false,
    .prologue = {{"CAPA", "+OK\r\nSTLS\r\n.\r\n"},
                 {"NOOP", "-ERR say STLS first\r\n"},
                 {"QUIT", "+OK bye\r\n"}},
    .starttls = "STLS",
    .go_ahead = "+OK begin TLS\r\n",
    .quit = "QUIT",
    .must_starttls = "-ERR say STLS first\r\n",
    .greeting = "+OK proxy ready\r\n",
    .sorry = "-ERR the server cannot be reached\r\n",
    .steps = {{"+OK", "", "STLS"}, {"+OK", "", ""}},
    .shown = shown_in_pop3,
};

const words smtp{
    .name = "smtp",
    .has_tags = false,
    .prologue = {{"EHLO", "250-proxy\r\n250 STARTTLS\r\n"},
                 {"HELO", "250 proxy\r\n"},
                 {"NOOP", "250 done\r\n"},
                 {"RSET", "250 done\r\n"},
                 {"QUIT", "221 bye\r\n"}},
    .starttls = "STARTTLS",
    .go_ahead = "220 begin TLS\r\n",
    .quit = "QUIT",
    .must_starttls = "530 say STARTTLS first\r\n",
    .greeting = "220 proxy ready\r\n",
    .sorry = "421 the server cannot be reached\r\n",
    .steps = {{"220", "220-", "EHLO localhost"}, {"250", "250-", "STARTTLS"}, {"220", "220-", ""}},
    .shown = shown_in_smtp,
};

words relayed_unread(std::string_view name) {
    words made;
    made.name = name;
    return made;
}

const words tcp = relayed_unread("tcp");

}  // namespace

std::string_view without_end(std::string_view line) {
    return line.substr(0, line.find_last_not_of("\r\n") + 1);
}

command words::parse(std::string_view line) const {
    line = without_end(line);
    command found;
    if (has_tags) found.tag = next_word(line);
    found.verb = in_capitals(next_word(line));
    return found;
}

bool words::is_prologue(const command& given) const {
    return given.verb == starttls || prologue.contains(given.verb);
}

std::string words::answer(const command& given) const {
    const auto found = prologue.find(given.verb);
    std::string text(given.verb == starttls    ? go_ahead
                     : found == prologue.end() ? must_starttls
                                               : found->second);
    const auto at = text.find('%');
    if (at != std::string::npos) text.replace(at, 1, given.tag.empty() ? "*" : given.tag);
    return text;
}

const words& words_of(std::string_view name) {
    for (const auto* each : {&imap, &pop3, &smtp, &tcp})
        if (each->name == name) return *each;
    throw std::invalid_argument("the protocol is not imap, pop3, smtp or tcp: " +
                                std::string(name));
}

}  // namespace proxy
