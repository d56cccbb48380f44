// Prints what async_chat calls for every text of a configuration, cut in every way.  Twin: twin.py.
//
//     parsing TERMINATORS WORDS COUNT
//
// The texts are all that COUNT of the WORDS make.  TERMINATORS are set one after the other: the
// first at the start, the next whenever found_terminator() is called, as long as there is one.
// Each is a number, "-" for none, or else bytes.  Lists are separated by commas.
//
// A line is a text, read by read: the piece that was received, the calls, and what is left in
// ac_in_buffer.  A call shows its data, and the ac_in_buffer and terminator that a hook sees.  So
// the line of a text covers its prefixes, and shorter texts need no lines of their own.
#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using asynchat::terminator_t;

std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> items;
    std::istringstream stream(list);
    for (std::string item; std::getline(stream, item, ',');) items.push_back(item);
    return items;
}

terminator_t terminator_of(const std::string& word) {
    if (word == "-") return asynchat::none;
    if (std::isdigit(static_cast<unsigned char>(word[0]))) return std::stoi(word);
    return word;
}

std::string shown(const terminator_t& terminator) {
    if (terminator.is_none()) return "-";
    if (terminator.is_number()) return std::to_string(terminator.number());
    return std::string(terminator.delimiter());
}

class reader : public asynchat::async_chat {
public:
    std::string log;

    explicit reader(const std::vector<terminator_t>& terminators) : next_(terminators) {
        found_one();
    }

    void read(std::string_view piece) {
        piece_ = piece;
        log.append(piece) += ':';
        handle_read();
        log.append("=").append(ac_in_buffer) += ' ';
    }

    std::size_t recv(std::span<char> buffer) override {
        return piece_.copy(buffer.data(), buffer.size());
    }

    void collect_incoming_data(std::string_view data) override {
        log.append("(").append(data) += ',';
        log_state();
    }

    void found_terminator() override {
        log += "!(";
        log_state();
        found_one();
    }

private:
    void log_state() { log.append(ac_in_buffer).append(",").append(shown(terminator)) += ')'; }

    void found_one() {
        if (next_.empty()) return;
        set_terminator(next_.front());
        next_ = next_.subspan(1);
    }

    std::span<const terminator_t> next_;
    std::string_view piece_;
};

std::set<std::string> texts_of(const std::vector<std::string>& words, int count) {
    if (count == 0) return {""};
    std::set<std::string> texts;
    for (const auto& text : texts_of(words, count - 1))
        for (const auto& word : words) texts.insert(text + word);
    return texts;
}

/// Bit i of `cuts`: whether there is a cut behind byte i.
std::string log_of(std::string_view text, unsigned cuts,
                   const std::vector<terminator_t>& terminators) {
    reader channel(terminators);
    std::size_t start = 0;
    for (std::size_t end = 1; end <= text.size(); ++end) {
        const bool cut = end == text.size() || (cuts >> (end - 1) & 1) != 0;
        if (!cut) continue;
        channel.read(text.substr(start, end - start));
        start = end;
    }
    return channel.log + "\n";
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs("usage: parsing TERMINATORS WORDS COUNT\n", stderr);
        return 2;
    }
    std::vector<terminator_t> terminators;
    for (const auto& word : split(argv[1])) terminators.push_back(terminator_of(word));
    for (const auto& text : texts_of(split(argv[2]), std::stoi(argv[3])))
        for (unsigned cuts = 0; cuts < 1U << (text.size() - 1); ++cuts)
            std::fputs(log_of(text, cuts, terminators).c_str(), stdout);
}
