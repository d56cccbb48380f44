// Sends large messages: eight bytes of length, then so many bytes.  The server answers with the
// eight bytes.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <sys/socket.h>

#include "load.hpp"

namespace load {

namespace {

struct sender {
    descriptor fd;
    std::uint64_t missing = 0;  // bytes of the message still to send
    std::size_t header_sent = 0;
    std::size_t answered = 0;  // bytes of the answer that have arrived
    bool busy = false;
};

class sink_load {
public:
    explicit sink_load(const options& options) : options_(options), data_(piece) {
        for (std::size_t i = 0; i < header_.size(); ++i)
            header_[i] = static_cast<char>(options.bytes >> (8 * (header_.size() - 1 - i)));
        for (std::size_t i = 0; i < data_.size(); ++i) data_[i] = static_cast<char>(i * 131 >> 3);
        senders_.resize(options.connections);
        for (std::size_t i = 0; i < senders_.size(); ++i) {
            senders_[i].fd = connect_to(options.port);
            set_non_blocking(senders_[i].fd.get());
            waiter_.add(senders_[i].fd.get(), 0, i);
        }
    }

    void run() {
        meter meter(options_.server);
        if (options_.requests > 0) {
            measure_messages(meter);
        } else {
            measure_time(meter);
        }
        print_line("{\"connections\": " + std::to_string(options_.connections) +
                   ", \"bytes\": " + std::to_string(measured_) +
                   ", \"requests\": " + std::to_string(completed_) + ", " + meter.json() + "}");
    }

private:
    void measure_time(meter& meter) {
        begin(std::numeric_limits<std::uint64_t>::max());
        run_until(clock::now() + std::chrono::duration_cast<clock::duration>(options_.warm_up));
        const auto before = sent_;
        meter.start();
        run_until(clock::now() + std::chrono::duration_cast<clock::duration>(options_.length));
        meter.stop();
        measured_ = sent_ - before;
        budget_ = 0;
        drain();
    }

    void measure_messages(meter& meter) {
        begin(senders_.size());
        drain();
        const auto before = sent_;
        meter.start();
        begin(options_.requests);
        drain();
        meter.stop();
        measured_ = sent_ - before;
    }

    void begin(std::uint64_t budget) {
        budget_ = budget;
        for (std::size_t i = 0; i < senders_.size(); ++i) start_message(i);
    }

    void run_until(clock::time_point end) {
        while (clock::now() < end) turn();
    }

    void drain() {
        while (busy_ > 0) turn();
    }

    void start_message(std::size_t i) {
        if (budget_ == 0) return;
        --budget_;
        ++busy_;
        auto& sender = senders_[i];
        sender.busy = true;
        sender.missing = options_.bytes;
        sender.header_sent = sender.answered = 0;
        waiter_.change(sender.fd.get(), EPOLLOUT, i);
    }

    void turn() {
        for (const auto& event : waiter_.wait()) {
            const auto i = static_cast<std::size_t>(event.data.u64);
            auto& sender = senders_[i];
            if (!sender.busy) die("the server said something unasked, or closed a connection");
            if (sender.missing > 0 || sender.header_sent < header_.size()) {
                send_some(sender);
                if (sender.missing == 0) waiter_.change(sender.fd.get(), EPOLLIN, i);
            } else if (hear(sender)) {
                ++completed_;
                --busy_;
                sender.busy = false;
                waiter_.change(sender.fd.get(), 0, i);
                start_message(i);
            }
        }
    }

    void send_some(sender& sender) {
        if (sender.header_sent < header_.size()) {
            sender.header_sent +=
                send_now(sender.fd.get(), header_.data() + sender.header_sent,
                         header_.size() - sender.header_sent, sender.missing > 0 ? MSG_MORE : 0);
            if (sender.header_sent < header_.size()) return;
        }
        const auto size = std::min<std::uint64_t>(sender.missing, data_.size());
        const auto n = send_now(sender.fd.get(), data_.data(), size, 0);
        sender.missing -= n;
        sent_ += n;
    }

    static std::size_t send_now(int fd, const char* data, std::size_t size, int flags) {
        const auto n = ::send(fd, data, size, MSG_NOSIGNAL | flags);
        if (n < 0 && errno != EAGAIN) die_errno("send");
        return n < 0 ? 0 : static_cast<std::size_t>(n);
    }

    bool hear(sender& sender) {
        std::array<char, 8> answer{};
        const auto n = ::recv(sender.fd.get(), answer.data(), answer.size() - sender.answered, 0);
        if (n < 0 && errno == EAGAIN) return false;
        if (n < 0) die_errno("recv");
        if (n == 0) die("the server closed a connection");
        const auto size = static_cast<std::size_t>(n);
        if (!std::equal(answer.begin(), answer.begin() + n,
                        header_.begin() + static_cast<std::ptrdiff_t>(sender.answered)))
            die("the answer is not the length that was sent");
        sender.answered += size;
        return sender.answered == answer.size();
    }

    static constexpr std::size_t piece = 256 * 1024;

    const options& options_;
    waiter waiter_;
    std::vector<sender> senders_;
    std::array<char, 8> header_{};
    std::vector<char> data_;
    std::uint64_t budget_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t measured_ = 0;
    std::uint64_t completed_ = 0;
    std::size_t busy_ = 0;
};

}  // namespace

void run_sink(const options& options) { sink_load(options).run(); }

}  // namespace load
