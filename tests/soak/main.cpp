// Chaos clients against one server: see README.md.
//
//     chaos echo|http|smtp PORT [--seed N] [--seconds T | --clients N] [--at-once N]
//                               [--patience SECONDS] [--manner NAME] [--site FOLDER] [--printed FD]
//
// --seconds   starts no client after so many seconds.
// --clients   starts so many clients.
// --at-once   is how many clients there are at a time.
// --patience  is how many seconds a connection may rest while the server sleeps: 30 by default.
// --pid       is the server's process.
// --manner    makes all clients behave so.
// --site      is the folder that the http_server serves.
// --printed   is a descriptor from which comes what smtpd prints: the messages that it delivers.
//
// It prints a line of JSON.  Its exit status is 0 if every outcome was allowed.
#include "../../docs/examples/command_line.hpp"
#include "../../docs/examples/descriptor_limit.hpp"
#include "chaos.hpp"
#include "client.hpp"
#include "talk.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace chaos {

namespace {

struct options {
    std::string server;
    std::uint16_t port = 0;
    std::uint64_t seed = 1, clients = ~std::uint64_t{0};
    std::uint32_t seconds = 0, at_once = 100, patience = 30;
    std::uint32_t pid = 0;
    std::optional<manner> how;
    std::string site = ".";
    int printed = -1;
};

manner manner_of(std::string_view name) {
    const auto found = std::find(std::begin(manner_names), std::end(manner_names), name);
    if (found == std::end(manner_names)) refuse_word(name);
    return static_cast<manner>(found - std::begin(manner_names));
}

options parse(command_line line) {
    options given;
    if (line.empty()) throw std::invalid_argument("the server is missing");
    given.server = line.take();
    given.port = number<std::uint16_t>(line.take_value_of(given.server));
    while (!line.empty()) {
        const auto word = line.take();
        const auto value = line.take_value_of(word);
        if (word == "--seed") given.seed = number<std::uint64_t>(value);
        else if (word == "--seconds") given.seconds = number<std::uint32_t>(value);
        else if (word == "--clients") given.clients = number<std::uint64_t>(value);
        else if (word == "--at-once") given.at_once = number<std::uint32_t>(value);
        else if (word == "--pid") given.pid = number<std::uint32_t>(value);
        else if (word == "--patience") given.patience = number<std::uint32_t>(value);
        else if (word == "--manner") given.how = manner_of(value);
        else if (word == "--site") given.site = value;
        else if (word == "--printed") given.printed = number<int>(value);
        else refuse_word(word);
    }
    return given;
}

/// How often each manner is chosen, of 10,000.
constexpr std::size_t weights[manners] = {3000, 400,  200, 300,  300, 700, 500,
                                          2,    1000, 900, 1100, 998, 500, 100};

manner choose_manner(dice& choose) {
    auto at = choose.between(0, 9'999);
    std::size_t which = 0;
    while (at >= weights[which]) at -= weights[which++];
    return static_cast<manner>(which);
}

class crowd {
public:
    explicit crowd(const options& given)
        : given_(given), mail_(given.seed), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        if (epoll_ < 0) throw std::runtime_error("epoll_create1");
        if (given.server == "http") site_.emplace(given.site);
        if (given.printed >= 0) {
            ::fcntl(given.printed, F_SETFL, O_NONBLOCK);
            control(EPOLL_CTL_ADD, given.printed, EPOLLIN, ~std::uint64_t{0});
        }
    }
    ~crowd() { ::close(epoll_); }
    crowd(const crowd&) = delete;
    crowd& operator=(const crowd&) = delete;

    /// Returns: whether all outcomes were allowed.
    bool run() {
        while (true) {
            admit();
            if (clients_.empty()) break;
            turn();
        }
        await_mail();
        print();
        return mismatches_ == 0;
    }

private:
    struct place {
        std::unique_ptr<client> who;
        unsigned interest = 0;
    };

    bool goes_on() const {
        if (next_ >= given_.clients || mismatches_ >= 20) return false;
        return given_.seconds == 0 || clock::now() - began_ < std::chrono::seconds(given_.seconds);
    }

    /// A few at a time, so that the listener's queue cannot overflow.
    void admit() {
        for (int left = 64; left > 0 && clients_.size() < given_.at_once && goes_on(); --left)
            start(next_++);
    }

    void start(std::uint64_t number) {
        dice choose(given_.seed * 0x9e3779b97f4a7c15 + number);
        // The first clients show each manner once.
        const auto chosen = number < manners ? static_cast<manner>(number) : choose_manner(choose);
        const auto how = given_.how.value_or(chosen);
        const auto from = "127." + std::to_string(1 + number % 100) + "." +
                          std::to_string(number / 100 % 250) + ".1";
        // Numbers of messages are not used again: the server may deliver one late.
        const auto name = given_.seed % 1'000'000 * 100'000'000 + number;
        try {
            auto who = std::make_unique<client>(number, how, talk_of(name, how, choose, from),
                                                choose, given_.port, from, tally_);
            const int fd = who->fd();
            const auto interest = who->interest();
            control(EPOLL_CTL_ADD, fd, interest, number);
            clients_[number] = {std::move(who), interest};
        } catch (const mismatch& why) {
            report("client " + std::to_string(number), why);
        }
    }

    std::unique_ptr<talk> talk_of(std::uint64_t name, manner how, dice& choose,
                                  const std::string& from) {
        if (given_.server == "echo") return echo_talk(name, how, choose);
        if (given_.server == "http") return http_talk(*site_, how, choose);
        if (given_.server == "smtp") return smtp_talk(name, how, choose, mail_, from);
        refuse_word(given_.server);
    }

    void turn() {
        epoll_event ready[512];
        const int count = ::epoll_wait(epoll_, ready, 512, 20);
        if (count < 0 && errno != EINTR) throw std::runtime_error("epoll_wait");
        for (int i = 0; i < count; ++i) {
            if (ready[i].data.u64 == ~std::uint64_t{0}) read_mail();
            else touch(ready[i].data.u64, [&](client& who) { return who.serve(ready[i].events); });
        }
        const auto now = clock::now();
        const auto since_last = now - ticked_;
        if (since_last < 20ms) return;
        ticked_ = now;
        // If this program waited for a processor, it has not seen what happened meanwhile.
        const bool nothing_happens = count == 0 && since_last < 1s && server_sleeps();
        if (!nothing_happens) awake_ = now;
        tick(now);
    }

    /// On a busy machine a server may wait long for a processor: then it does not sleep.
    bool server_sleeps() const {
        if (given_.pid == 0) return true;
        std::ifstream file("/proc/" + std::to_string(given_.pid) + "/stat");
        std::string text;
        std::getline(file, text);
        const auto name_ends = text.rfind(") ");
        return name_ends == text.npos || text[name_ends + 2] != 'R';
    }

    bool is_patient_since(clock::time_point then) const {
        return clock::now() - then < std::chrono::seconds(given_.patience);
    }

    void tick(clock::time_point now) {
        const auto quiet = now - awake_;
        std::vector<std::uint64_t> numbers;
        for (const auto& [number, each] : clients_) numbers.push_back(number);
        for (const auto number : numbers)
            touch(number, [&](client& who) {
                const auto silent = now - who.last();
                const bool is_too_long =
                    std::min(silent, quiet) > std::chrono::seconds(given_.patience) ||
                    silent > 10min;
                if (is_too_long) throw mismatch("the server has been silent for too long");
                return !who.needs_ticks() || who.tick();
            });
    }

    template <class Action>
    void touch(std::uint64_t number, Action action) {
        const auto found = clients_.find(number);
        if (found == clients_.end()) return;
        auto& [who, interest] = found->second;
        bool goes_on = false;
        try {
            goes_on = action(*who);
        } catch (const mismatch& why) {
            report(who->name(), why);
        }
        if (!goes_on) {
            clients_.erase(found);
            return;
        }
        const auto now = who->interest();
        if (now != interest) control(EPOLL_CTL_MOD, who->fd(), now, number);
        interest = now;
    }

    void read_mail() {
        static char buffer[65536];
        const auto got = ::read(given_.printed, buffer, sizeof buffer);
        if (got <= 0) return;
        try {
            mail_.printed({buffer, static_cast<std::size_t>(got)});
        } catch (const mismatch& why) {
            report("mail", why);
        }
    }

    /// What was accepted must be delivered.
    void await_mail() {
        if (given_.printed < 0) return;
        awake_ = clock::now();
        bool more = true;
        while (more || (mail_.missing() > 0 && is_patient_since(awake_))) {
            epoll_event ready;
            more = ::epoll_wait(epoll_, &ready, 1, 300) > 0;
            if (more) read_mail();
            if (more || !server_sleeps()) awake_ = clock::now();
        }
        if (const auto missing = mail_.missing())
            report("mail", mismatch(std::to_string(missing) +
                                    " messages were accepted, and not delivered"));
    }

    void report(const std::string& who, const mismatch& why) {
        if (++mismatches_ > 20) return;
        std::cerr << who << ": " << why.what() << std::endl;
    }

    void print() const {
        std::cout << "{\"connections\": " << tally_.connections
                  << ", \"bytes_said\": " << tally_.bytes_said
                  << ", \"bytes_checked\": " << tally_.bytes_checked + mail_.checked_bytes()
                  << ", \"messages\": " << mail_.checked_messages()
                  << ", \"mismatches\": " << mismatches_ << ", \"manners\": {";
        for (std::size_t i = 0; i < manners; ++i)
            std::cout << (i > 0 ? ", " : "") << '"' << manner_names[i]
                      << "\": " << tally_.per_manner[i];
        std::cout << "}}" << std::endl;
    }

    void control(int operation, int fd, unsigned events, std::uint64_t number) const {
        epoll_event event{};
        event.events = events;
        event.data.u64 = number;
        if (::epoll_ctl(epoll_, operation, fd, &event) != 0)
            throw std::runtime_error(std::string("epoll_ctl: ") + std::strerror(errno));
    }

    const options& given_;
    tally tally_;
    ledger mail_;
    std::optional<site> site_;
    int epoll_;
    std::unordered_map<std::uint64_t, place> clients_;
    std::uint64_t next_ = 0, mismatches_ = 0;
    clock::time_point began_ = clock::now(), ticked_ = began_;
    clock::time_point awake_ = began_;  // when something happened last
};

}  // namespace

}  // namespace chaos

int main(int argc, char** argv) {
    try {
        const auto given = chaos::parse({argc, argv});
        raise_descriptor_limit();
        return chaos::crowd(given).run() ? 0 : 1;
    } catch (const std::exception& error) {
        std::cerr << "chaos: " << error.what() << '\n';
        return 2;
    }
}
