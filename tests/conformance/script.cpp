// Python: script.py beside this file, in the same order.
#include "script.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <deque>
#include <utility>

namespace replay {
namespace {

// One letter for each argument: B bytes, N number, T terminator, E errno, + one or more bytes, @
// name and action, A an action, C a channel, W a new name.
using shapes = std::map<std::string, std::string_view, std::less<>>;
const shapes actions = {
    {"push", "B"},           {"push_simple", "NB"},   {"push_chunks", "+"}, {"push_bytes", "B"},
    {"push_failing", ""},    {"send", "B"},           {"recv", "N"},        {"set_terminator", "T"},
    {"close_when_done", ""}, {"discard_buffers", ""}, {"close", ""},        {"initiate_send", ""},
    {"handle_read", ""},     {"handle_close", ""},    {"del_channel", ""},  {"add_channel", ""},
    {"raise", ""},           {"raise_os", "E"},       {"exit_now", ""},     {"at", "@"},
};

// What only the wide grammar has.
const shapes wide_actions = {
    {"pass", ""},   {"raise_value", ""}, {"nested", ""},   {"make", "W"},
    {"reuse", "W"}, {"destroy", ""},     {"erase", ""},    {"replace", "C"},
    {"clear", ""},  {"close_all", ""},   {"planted", "A"},
};

// The event `before_X` is a call of the method X.
constexpr std::array<std::string_view, 19> methods = {"readable",
                                                      "writable",
                                                      "handle_read_event",
                                                      "handle_write_event",
                                                      "handle_expt_event",
                                                      "handle_connect_event",
                                                      "handle_accept",
                                                      "handle_accepted",
                                                      "handle_read",
                                                      "handle_write",
                                                      "handle_close",
                                                      "handle_error",
                                                      "handle_expt",
                                                      "recv",
                                                      "send",
                                                      "initiate_send",
                                                      "close",
                                                      "log_info",
                                                      "more"};

constexpr std::array<std::string_view, 9> events = {"collect", "found",  "connect", "close", "read",
                                                    "write",   "accept", "error",   "expt"};

// What a name stands for.  Some channels have a peer that the script holds; a reset needs TCP.
struct kind {
    bool listens;
    bool peer;
    bool tcp;
};

// A channel that an `on` names, and that a later line may make.
struct promise {
    int line;
    std::string name;
};

struct names_of_script {
    bool wide;
    std::map<std::string, kind, std::less<>> kinds;
    std::vector<promise> promises;
};

template <class Range>
bool contains(const Range& range, std::string_view wanted) {
    return std::find(range.begin(), range.end(), wanted) != range.end();
}

bool is_event(std::string_view text, bool wide) {
    constexpr std::string_view before = "before_";
    if (wide && text.starts_with(before)) return contains(methods, text.substr(before.size()));
    return contains(events, text);
}

struct word {
    std::string text;
    bool quoted;
};

bool is_digits(std::string_view text, std::size_t longest) {
    return !text.empty() && text.size() <= longest &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_number(std::string_view text) { return is_digits(text, 18); }

bool is_name(std::string_view text) {
    return !text.empty() && text[0] >= 'a' && text[0] <= 'z' &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

std::uint64_t to_number(std::string_view digits) {
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

std::string fill(std::uint64_t count, std::uint64_t first) {
    std::string bytes(count, '\0');
    for (std::uint64_t i = 0; i < count; ++i)
        bytes[i] = static_cast<char>((i * 31 + (i >> 8) * 17 + first) & 0xff);
    return bytes;
}

// The words of one line, taken from left to right.
class line {
public:
    line(int number, std::string_view text, names_of_script& script)
        : number_(number), script_(script) {
        split(text);
    }

    directive take_directive();

private:
    bad_script bad(std::string_view why) const { return {number_, why}; }

    void split(std::string_view text);
    std::string unquote(std::string_view text, std::size_t& i) const;

    std::string take_word(std::string_view expected);
    std::uint64_t take_number();
    std::string take_bytes();
    std::string take_new_name(kind what);
    void declare(const std::string& name, kind what);
    std::string take_name();
    std::string take_listener();
    std::string take_peer(bool tcp);
    void take_options(directive& into, const std::vector<std::string_view>& allowed);
    terminator take_terminator();
    int take_errno();
    action take_action(bool deferred);
    std::string take_other(bool deferred);

    void take_arguments(directive& into);
    void take_channel(directive& into);
    void take_dial(directive& into);

    int number_;
    names_of_script& script_;
    std::deque<word> words_;
};

bool is_space(char c) { return c == ' ' || c == '\t'; }

void line::split(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size()) {
        if (is_space(text[i])) {
            ++i;
        } else if (text[i] == '"') {
            ++i;
            words_.push_back({unquote(text, i), true});
            if (i < text.size() && !is_space(text[i])) throw bad("no space after a string");
        } else {
            const std::size_t start = i;
            while (i < text.size() && !is_space(text[i]) && text[i] != '"') ++i;
            if (i < text.size() && text[i] == '"') throw bad("no space before a string");
            words_.push_back({std::string(text.substr(start, i - start)), false});
        }
    }
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// The string whose opening quote is before `i`; leaves `i` after the closing quote.
std::string line::unquote(std::string_view text, std::size_t& i) const {
    std::string out;
    while (i < text.size()) {
        const char c = text[i++];
        if (c == '"') return out;
        if (c != '\\') {
            out += c;
            continue;
        }
        const char escape = i < text.size() ? text[i++] : '\0';
        if (escape == 'x') {
            const int high = i < text.size() ? hex_digit(text[i]) : -1;
            const int low = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
            if (high < 0 || low < 0) throw bad("\\x wants two hexadecimal digits");
            out += static_cast<char>(high * 16 + low);
            i += 2;
        } else if (escape == 'r' || escape == 'n' || escape == 't') {
            out += escape == 'r' ? '\r' : escape == 'n' ? '\n' : '\t';
        } else if (escape == '\\' || escape == '"') {
            out += escape;
        } else {
            throw bad("unknown escape");
        }
    }
    throw bad("the string has no end");
}

std::string line::take_word(std::string_view expected) {
    if (words_.empty() || words_.front().quoted) throw bad("expected " + std::string(expected));
    std::string text = std::move(words_.front().text);
    words_.pop_front();
    return text;
}

std::uint64_t line::take_number() {
    const std::string text = take_word("a number");
    if (!is_number(text)) throw bad("expected a number");
    return to_number(text);
}

std::string line::take_bytes() {
    if (words_.empty()) throw bad("expected bytes");
    word first = std::move(words_.front());
    words_.pop_front();
    if (first.quoted) return std::move(first.text);
    constexpr std::string_view prefix = "fill:";
    const std::string_view text = first.text;
    const std::size_t colon = text.find(':', prefix.size());
    if (!text.starts_with(prefix) || colon == text.npos) throw bad("expected bytes");
    const std::string_view count = text.substr(prefix.size(), colon - prefix.size());
    const std::string_view start = text.substr(colon + 1);
    if (!is_digits(count, 9) || !is_number(start)) throw bad("expected bytes");
    return fill(to_number(count), to_number(start));
}

// A name that no earlier line has used; from here on it stands for a `what`.
std::string line::take_new_name(kind what) {
    std::string name = take_word("a new name");
    if (!is_name(name)) throw bad("expected a new name");
    declare(name, what);
    return name;
}

void line::declare(const std::string& name, kind what) {
    if (!script_.kinds.emplace(name, what).second) throw bad("the name is used already");
}

std::string line::take_name() {
    std::string name = take_word("a channel");
    if (!script_.kinds.contains(name)) throw bad("no such channel");
    return name;
}

std::string line::take_listener() {
    std::string name = take_name();
    if (!script_.kinds.at(name).listens) throw bad("not a listener");
    return name;
}

std::string line::take_peer(bool tcp) {
    std::string name = take_name();
    if (!script_.kinds.at(name).peer) throw bad("the channel has no peer");
    if (tcp && !script_.kinds.at(name).tcp) throw bad("the channel is not tcp");
    return name;
}

// `unix`, `tcp` and `KEY=N`, each at most once, in any order.
void line::take_options(directive& into, const std::vector<std::string_view>& allowed) {
    while (!words_.empty()) {
        const std::string text = take_word("an option");
        std::string key = "tcp";
        std::size_t value = text == "tcp";
        if (text != "unix" && text != "tcp") {
            const std::size_t equals = text.find('=');
            key = text.substr(0, equals);
            const std::string digits = equals == text.npos ? "" : text.substr(equals + 1);
            if (!contains(allowed, key) || !is_number(digits)) throw bad("unknown option");
            value = to_number(digits);
        }
        if (!into.options.emplace(key, value).second) throw bad("an option is there twice");
    }
}

terminator line::take_terminator() {
    if (words_.empty()) throw bad("expected a terminator");
    if (!words_.front().quoted) {
        const std::string_view text = words_.front().text;
        const bool minus = text.starts_with('-');
        if (text == "none") {
            words_.pop_front();
            return {};
        }
        if (is_number(text.substr(minus))) {
            const auto value = static_cast<long long>(to_number(text.substr(minus)));
            words_.pop_front();
            return minus ? -value : value;
        }
    }
    return take_bytes();
}

int line::take_errno() {
    const int value = errno_named(take_word("an errno"));
    if (value == 0) throw bad("expected an errno");
    return value;
}

// `deferred`: an `on`, which may name channels that later lines make.
action line::take_action(bool deferred) {
    action taken;
    taken.what = take_word("an action");
    const shapes& known =
        script_.wide && wide_actions.contains(taken.what) ? wide_actions : actions;
    const auto found = known.find(taken.what);
    if (found == known.end()) throw bad("unknown action");
    for (const char shape : found->second) {
        if (shape == 'W') taken.other = take_new_name({false, true, false});
        if (shape == 'A') taken.inner = std::make_shared<const action>(take_action(deferred));
        if (shape == 'C') taken.other = take_other(deferred);
        if (shape == 'B' || shape == '+') taken.chunks.push_back(take_bytes());
        if (shape == 'N') taken.number = take_number();
        if (shape == 'T') taken.term = take_terminator();
        if (shape == 'E') taken.error = take_errno();
        while (shape == '+' && !words_.empty()) taken.chunks.push_back(take_bytes());
        if (shape == '@') {
            taken.other = take_other(deferred);
            taken.inner = std::make_shared<const action>(take_action(deferred));
        }
    }
    return taken;
}

// The channel that an `at` names.
std::string line::take_other(bool deferred) {
    if (!deferred) return take_name();
    std::string name = take_word("a channel");
    if (!is_name(name)) throw bad("expected a channel");
    script_.promises.push_back({number_, name});
    return name;
}

directive line::take_directive() {
    directive taken;
    taken.line = number_;
    taken.what = take_word("a directive");
    take_arguments(taken);
    if (!words_.empty()) throw bad("more on the line than belongs there");
    return taken;
}

void line::take_arguments(directive& into) {
    const std::string& what = into.what;
    if (what == "delivery") {
        into.delivery = take_word("select or poll");
        if (into.delivery != "select" && into.delivery != "poll")
            throw bad("expected select or poll");
    } else if (what == "chat" || what == "sender" || what == "raw") {
        take_channel(into);
    } else if (what == "listen") {
        into.name = take_new_name({true, false, true});
    } else if (what == "knock") {
        into.other = take_listener();
        into.name = take_new_name({false, true, true});
    } else if (what == "dial") {
        take_dial(into);
    } else if (what == "feed") {
        into.name = take_peer(false);
        into.bytes = take_bytes();
    } else if (what == "urgent") {
        into.name = take_peer(true);
        into.bytes = take_bytes();
    } else if (what == "drain" || what == "shut" || what == "hangup") {
        into.name = take_peer(false);
    } else if (what == "reset") {
        into.name = take_peer(true);
    } else if (what == "turn") {
        into.count = words_.empty() ? 1 : take_number();
    } else if (what == "loop") {
        into.count = take_number();
    } else if (what == "do") {
        into.name = take_name();
        into.run = take_action(false);
    } else if (what == "on") {
        into.name = take_name();
        into.event = take_word("an event");
        if (!is_event(into.event, script_.wide)) throw bad("expected an event");
        into.run = take_action(true);
    } else if (what == "state") {
        into.name = take_name();
    } else if (what != "map" && what != "close_all" && !(script_.wide && what == "predicates")) {
        throw bad("unknown directive");
    }
}

void line::take_channel(directive& into) {
    into.name = take_new_name({false, true, false});
    if (into.what == "chat") take_options(into, {"in", "out"});
    if (into.what == "sender") take_options(into, {});
    if (into.what == "raw") take_options(into, {"read"});
    script_.kinds.at(into.name).tcp = into.option("tcp", 0) != 0;
}

void line::take_dial(directive& into) {
    into.name = take_new_name({false, false, true});
    if (!words_.empty() && !words_.front().quoted && words_.front().text == "refused") {
        words_.pop_front();
        return;
    }
    into.other = take_listener();
    declare(into.name + "p", {false, false, true});
}

}  // namespace

std::size_t directive::option(const std::string& key, std::size_t otherwise) const {
    const auto found = options.find(key);
    return found == options.end() ? otherwise : found->second;
}

bad_script::bad_script(int line, std::string_view why)
    : std::runtime_error("bad script: line " + std::to_string(line) + ": " + std::string(why)) {}

std::vector<directive> parse(std::string_view text, bool wide) {
    names_of_script script{wide, {}, {}};
    std::vector<directive> directives;
    for (int number = 1;; ++number) {
        const std::size_t end = text.find('\n');
        std::string_view content = text.substr(0, end);
        while (content.ends_with('\r')) content.remove_suffix(1);
        const std::size_t first = content.find_first_not_of(" \t");
        if (first != content.npos && content[first] != '#')
            directives.push_back(line(number, content, script).take_directive());
        if (end == text.npos) break;
        text.remove_prefix(end + 1);
    }
    for (const promise& made : script.promises)
        if (!script.kinds.contains(made.name)) throw bad_script(made.line, "no such channel");
    return directives;
}

}  // namespace replay
