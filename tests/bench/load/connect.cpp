// Connects, sends one line, receives it back, closes; on many connections at a time.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

#include "load.hpp"

namespace load {

namespace {

struct visit {
    descriptor fd;
    std::string line;
    std::size_t received = 0;
    bool sent = false;
};

class connect_load {
public:
    explicit connect_load(const options& options)
        : options_(options), visits_(options.connections) {
        for (auto& visit : visits_) visit.line = std::string(options.size - 2, '.') + "\r\n";
    }

    void run() {
        meter meter(options_.server);
        const auto measured = options_.requests > 0 ? measure_requests(meter) : measure_time(meter);
        print_line("{\"connections\": " + std::to_string(options_.connections) +
                   ", \"requests\": " + std::to_string(measured) + ", " + meter.json() + "}");
    }

private:
    std::uint64_t measure_time(meter& meter) {
        begin(std::numeric_limits<std::uint64_t>::max());
        run_until(clock::now() + std::chrono::duration_cast<clock::duration>(options_.warm_up));
        const auto before = completed_;
        meter.start();
        run_until(clock::now() + std::chrono::duration_cast<clock::duration>(options_.length));
        meter.stop();
        const auto measured = completed_ - before;
        budget_ = 0;
        drain();
        return measured;
    }

    std::uint64_t measure_requests(meter& meter) {
        begin(10 * visits_.size());
        drain();
        const auto before = completed_;
        meter.start();
        begin(options_.requests);
        drain();
        meter.stop();
        return completed_ - before;
    }

    void begin(std::uint64_t budget) {
        budget_ = budget;
        for (std::size_t i = 0; i < visits_.size(); ++i) visit_again(i);
    }

    void run_until(clock::time_point end) {
        while (clock::now() < end) turn();
    }

    void drain() {
        while (open_ > 0) turn();
    }

    void visit_again(std::size_t i) {
        if (budget_ == 0) return;
        --budget_;
        ++open_;
        auto& visit = visits_[i];
        const auto count = started_++;
        visit.fd = start_connecting(options_.port,
                                    first_source + static_cast<std::uint32_t>(count % sources));
        std::array<char, 24> number;  // no two lines are the same
        const int digits = std::snprintf(number.data(), number.size(), "%llu",
                                         static_cast<unsigned long long>(count));
        std::copy_n(number.begin(),
                    std::min<std::size_t>(static_cast<std::size_t>(digits), options_.size - 2),
                    visit.line.begin());
        visit.received = 0;
        // On the loopback a connection is usually established when connect() returns.
        visit.sent = say(visit);
        waiter_.add(visit.fd.get(), visit.sent ? EPOLLIN : EPOLLOUT, i);
    }

    static bool say(const visit& visit) {
        const auto n = ::send(visit.fd.get(), visit.line.data(), visit.line.size(), MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return false;
        if (n < 0) die_errno("send");
        if (static_cast<std::size_t>(n) != visit.line.size()) die("no room for a line");
        return true;
    }

    void turn() {
        for (const auto& event : waiter_.wait()) {
            const auto i = static_cast<std::size_t>(event.data.u64);
            auto& visit = visits_[i];
            if (!visit.sent) {
                visit.sent = say(visit);
                if (visit.sent) waiter_.change(visit.fd.get(), EPOLLIN, i);
            } else if (heard_all(visit)) {
                visit.fd.reset();
                --open_;
                ++completed_;
                visit_again(i);
            }
        }
    }

    bool heard_all(visit& visit) {
        const auto n = ::recv(visit.fd.get(), buffer_.data(), buffer_.size(), 0);
        if (n < 0 && errno == EAGAIN) return false;
        if (n < 0) die_errno("recv");
        if (n == 0) die("the server closed a connection");
        const std::string_view heard(buffer_.data(), static_cast<std::size_t>(n));
        if (std::string_view(visit.line).substr(visit.received, heard.size()) != heard)
            die("what came back is not what was sent");
        visit.received += heard.size();
        return visit.received == visit.line.size();
    }

    static constexpr std::uint32_t first_source = 0x7f000002;  // 127.0.0.2
    static constexpr std::uint32_t sources = 250;

    const options& options_;
    waiter waiter_;
    std::vector<visit> visits_;
    std::uint64_t budget_ = 0;
    std::uint64_t started_ = 0;
    std::uint64_t completed_ = 0;
    std::size_t open_ = 0;
    std::array<char, 65536> buffer_;
};

}  // namespace

void run_connect(const options& options) { connect_load(options).run(); }

}  // namespace load
