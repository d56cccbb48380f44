#include "talk.hpp"

#include <cstring>

namespace chaos {

namespace {

const std::string& pool() {
    static const std::string text = [] {
        dice choose(1);
        return random_text(choose, 1 << 20);
    }();
    return text;
}

class echo final : public talk {
public:
    echo(std::uint64_t client, manner how, dice& choose) {
        if (how == manner::garbage) {
            text_ = random_bytes(choose, choose.small_or_large(20'000));
            for (auto lines = text_.size() / 40; lines > 0; --lines)
                text_.replace(choose.between(0, text_.size() - 2), 2, "\r\n");
            text_ += "\r\n";
        } else {
            add_lines(client, size(how, choose), choose);
        }
        may_say_ = text_.size();
        const auto end = text_.rfind("\r\n");
        comes_back_ = end == text_.npos ? 0 : end + 2;
    }

    void hear(std::string_view data) override {
        if (data.size() > complete() - heard_) throw mismatch("more came back than was said");
        if (std::memcmp(data.data(), text_.data() + heard_, data.size()) != 0)
            throw mismatch("what came back is not what was said, at byte " +
                           std::to_string(first_wrong(data)) + " of " + std::to_string(size()));
        heard_ += data.size();
    }
    bool heard_all() const override { return heard_ == comes_back_ && said_all(); }
    bool server_ends() const override { return false; }

private:
    using talk::size;

    static std::size_t size(manner how, dice& choose) {
        switch (how) {
        case manner::single_bytes:
            return choose.between(10, 300);
        case manner::tiny_window:
            return choose.small_or_large(8'000);
        case manner::slow_reader:
        case manner::slow_writer:
            return choose.between(100, 3'000);
        case manner::flood:
            return choose.small_or_large(2 << 20);
        case manner::drown:
            return 48 << 20;
        default:
            return choose.small_or_large(100'000);
        }
    }

    /// Each line begins with the client's number and its own: bytes of another client or of another
    /// line are seen.
    void add_lines(std::uint64_t client, std::size_t bytes, dice& choose) {
        text_.reserve(bytes + 1100);
        const auto longest = bytes > 10'000'000 || choose.one_in(8) ? 70'000UL : 1'000UL;
        for (std::size_t number = 0; text_.size() < bytes; ++number) {
            const auto length = std::min(choose.small_or_large(longest), bytes - text_.size());
            text_ += std::to_string(client) + " " + std::to_string(number) + " ";
            text_.append(pool(), choose.between(0, pool().size() - length), length);
            text_ += "\r\n";
        }
    }

    /// How many bytes may have come back: what was said, up to the end of the last whole line.
    std::size_t complete() {
        if (said_ == text_.size()) return comes_back_;
        if (said_ < 2) return 0;
        const auto end = text_.rfind("\r\n", said_ - 2);
        return end == text_.npos ? 0 : end + 2;
    }

    std::size_t first_wrong(std::string_view data) const {
        std::size_t at = 0;
        while (data[at] == text_[heard_ + at]) ++at;
        return heard_ + at;
    }

    std::size_t heard_ = 0, comes_back_ = 0;
};

}  // namespace

std::string random_text(dice& choose, std::size_t size) {
    static constexpr std::string_view signs =
        " ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-0123456789";
    std::string text(size, '\0');
    for (auto& c : text) c = signs[choose.between(0, signs.size() - 1)];
    return text;
}

std::string random_bytes(dice& choose, std::size_t size) {
    std::string bytes(size, '\0');
    for (auto& c : bytes) c = static_cast<char>(choose.roll());
    return bytes;
}

std::unique_ptr<talk> echo_talk(std::uint64_t client, manner how, dice& choose) {
    return std::make_unique<echo>(client, how, choose);
}

}  // namespace chaos
