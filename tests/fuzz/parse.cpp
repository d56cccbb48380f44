// async_chat's parser against a model without state: after every read the model parses the stream
// so far from its first byte, however the stream was cut into reads.
#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fuzz.hpp"

namespace {

struct nothing {};  // no terminator
struct unchanged {};
using plain_terminator = std::variant<nothing, unchanged, std::size_t, std::string>;

constexpr std::size_t longest = 200;  // stream; the model takes quadratic time

struct setting {
    unsigned ac_in_buffer_size;
    bool rewrite_in_collect;  // whether the hook assigns ac_in_buffer what it holds already
    bool rewrite_in_found;
    std::vector<plain_terminator> terminators;  // the first at the start, then one for each message
    std::string stream;
    std::vector<std::size_t> cuts;  // the lengths of the pieces that arrive
};

// ---------------------------------------------------------------------------
// The model.
// ---------------------------------------------------------------------------

struct outcome {
    std::vector<std::string> messages;
    std::string begun;  // what was collected of the next message
    std::string held;   // a partial terminator
};

std::size_t beginning_at_end(std::string_view text, std::string_view delimiter) {
    auto length = delimiter.size() - 1;
    while (!text.ends_with(delimiter.substr(0, length))) --length;
    return length;
}

/// The terminator that holds when found_terminator() returns.
plain_terminator after_message(const plain_terminator& before, const plain_terminator& set) {
    if (!std::holds_alternative<unchanged>(set)) return set;
    if (std::holds_alternative<std::size_t>(before)) return nothing{};  // counted down
    return before;
}

outcome model(const setting& given, std::string_view stream) {
    outcome result;
    auto terminator = after_message(nothing{}, given.terminators[0]);
    while (!stream.empty()) {
        std::size_t end = stream.npos;
        std::size_t length = 0;
        if (const auto* count = std::get_if<std::size_t>(&terminator)) {
            if (stream.size() >= *count) end = *count;
        } else if (const auto* delimiter = std::get_if<std::string>(&terminator)) {
            end = stream.find(*delimiter);
            length = delimiter->size();
            if (end == stream.npos) {
                const auto held = beginning_at_end(stream, *delimiter);
                result.held = stream.substr(stream.size() - held);
                stream.remove_suffix(held);
            }
        }
        if (end == stream.npos) {
            result.begun = stream;
            break;
        }
        result.messages.emplace_back(stream.substr(0, end));
        stream.remove_prefix(end + length);
        const auto which = result.messages.size() % given.terminators.size();
        terminator = after_message(terminator, given.terminators[which]);
    }
    return result;
}

/// The calls that lead from one outcome to the next: one collect_incoming_data() for the new bytes
/// of each message, if there are any, and one found_terminator() for each complete message.
std::string calls_between(const outcome& before, const outcome& after) {
    std::string calls;
    auto known = before.begun.size();
    for (auto at = before.messages.size(); at <= after.messages.size(); ++at) {
        const bool whole = at < after.messages.size();
        const auto data = (whole ? after.messages[at] : after.begun).substr(known);
        if (!data.empty()) calls += "(" + data + ")";
        if (whole) calls += "!";
        known = 0;
    }
    return calls;
}

// ---------------------------------------------------------------------------
// The library.
// ---------------------------------------------------------------------------

class reader : public asynchat::async_chat {
public:
    std::string calls;
    std::string_view arrived;  // what recv() may give

    explicit reader(const setting& given) : given_(given) {
        ac_in_buffer_size = given.ac_in_buffer_size;
        set_next();
    }

    std::size_t recv(std::span<char> buffer) override {
        const auto count = arrived.copy(buffer.data(), buffer.size());
        arrived.remove_prefix(count);
        return count;
    }
    void collect_incoming_data(std::string_view data) override {
        if (given_.rewrite_in_collect) rewrite();
        calls.append("(").append(data) += ')';
    }
    void found_terminator() override {
        calls += "!";
        ++found_;
        if (given_.rewrite_in_found) rewrite();
        set_next();
    }

private:
    void rewrite() { ac_in_buffer = ac_in_buffer.str(); }

    void set_next() {
        const auto& next = given_.terminators[found_ % given_.terminators.size()];
        if (std::holds_alternative<nothing>(next)) set_terminator(asynchat::none);
        if (const auto* count = std::get_if<std::size_t>(&next)) set_terminator(*count);
        if (const auto* delimiter = std::get_if<std::string>(&next)) set_terminator(*delimiter);
    }

    const setting& given_;
    std::size_t found_ = 0;
};

plain_terminator terminator_from(fuzz::decisions& input) {
    switch (input.next() % 8) {
    case 0:
        return nothing{};
    case 1:
        return unchanged{};
    case 2:
        return std::size_t{input.next(1, 12)};
    default:
        return input.letters(input.next(1, 14));
    }
}

/// Adds a letter, or the beginning of a delimiter.
void lengthen(setting& result, unsigned byte) {
    if ((byte & 0x40) == 0) {
        result.stream += static_cast<char>('a' + byte % 3);
        return;
    }
    const auto& terminator = result.terminators[(byte >> 4 & 3) % result.terminators.size()];
    if (const auto* delimiter = std::get_if<std::string>(&terminator))
        result.stream += delimiter->substr(0, byte & 15);
}

setting setting_from(fuzz::decisions input) {
    setting result{};
    result.ac_in_buffer_size = input.next(1, 32);
    const auto rewrite = input.next();
    result.rewrite_in_collect = (rewrite & 1) != 0;
    result.rewrite_in_found = (rewrite & 2) != 0;
    const auto count = input.next(1, 4);
    while (result.terminators.size() < count) result.terminators.push_back(terminator_from(input));
    std::size_t start = 0;
    while (input.left() && result.stream.size() < longest) {
        const auto byte = input.next();
        lengthen(result, byte);
        if ((byte & 0x80) == 0) continue;
        result.cuts.push_back(result.stream.size() - start);
        start = result.stream.size();
    }
    result.cuts.push_back(result.stream.size() - start);
    return result;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto given = setting_from({data, size});
    reader channel(given);
    outcome before;
    std::size_t start = 0;
    for (const auto length : given.cuts) {
        const auto end = start + length;
        channel.arrived = std::string_view(given.stream).substr(start, length);
        while (!channel.arrived.empty()) {
            channel.handle_read();
            start = end - channel.arrived.size();
            const auto after = model(given, std::string_view(given.stream).substr(0, start));
            fuzz::check_same("calls", calls_between(before, after), channel.calls);
            fuzz::check_same("ac_in_buffer", after.held, channel.ac_in_buffer.str());
            channel.calls.clear();
            before = after;
        }
    }
    return 0;
}
