// Sends lines and receives them back, on connections that stay open.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <sys/socket.h>

#include "load.hpp"

namespace load {

namespace {

// All connections send the same endless text, and each begins at another line.  So no line is
// composed or copied before it is sent, and one comparison checks a whole read.  The check still
// finds a byte that was lost, doubled, changed or sent to another connection.
class text {
public:
    text(std::size_t line, std::size_t in_flight) : line_(line) {
        if (line < 4) die("a line has at least 4 bytes");
        std::mt19937 random(1);
        std::uniform_int_distribution<int> printable(' ', '~');
        bytes_.reserve((lines + in_flight) * line);
        for (std::size_t i = 0; i < lines; ++i) {
            for (std::size_t k = 2; k < line; ++k) bytes_ += static_cast<char>(printable(random));
            bytes_ += "\r\n";
        }
        for (std::size_t i = 0; i < in_flight * line; ++i) bytes_ += bytes_[i];
    }

    std::size_t start(std::size_t connection) const { return connection * 37 % lines * line_; }
    const char* at(std::size_t offset) const { return bytes_.data() + offset; }
    std::size_t after(std::size_t offset, std::size_t n) const {
        offset += n;
        return offset < lines * line_ ? offset : offset - lines * line_;
    }

private:
    static constexpr std::size_t lines = 509;

    std::size_t line_;
    std::string bytes_;  // the lines, and the first lines again, so that every window is one piece
};

struct connection {
    descriptor fd;
    std::size_t to_send = 0;   // where in the text the next line to send begins
    std::size_t to_check = 0;  // where in the text the next byte to receive is
    std::size_t unsent = 0;    // bytes before to_send that the kernel has not taken yet
    std::size_t expected = 0;  // bytes sent, or to be sent, that have not come back
    std::size_t partial = 0;   // bytes of a line that has come back in part
};

class echo_load {
public:
    explicit echo_load(const options& options)
        : options_(options), text_(options.size, options.in_flight) {
        connect_all();
    }

    void run() {
        for (const auto active : options_.active) {
            meter meter(options_.server);
            const auto before = options_.requests > 0 ? measure_requests(active, meter)
                                                      : measure_time(active, meter);
            print_line("{\"connections\": " + std::to_string(options_.connections) +
                       ", \"active\": " + std::to_string(active) +
                       ", \"requests\": " + std::to_string(before) + ", " + meter.json() + "}");
        }
        await_step(options_, "measured");
    }

private:
    static constexpr auto no_limit = std::numeric_limits<std::uint64_t>::max();

    // Connects one after the other.  After each 256, the last connection sends a line and waits for
    // it: servers accept in order, so the listener's queue cannot overflow.
    void connect_all() {
        connections_.resize(options_.connections);
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            auto& connection = connections_[i];
            connection.fd = connect_to(options_.port);
            connection.to_send = connection.to_check = text_.start(i);
            set_non_blocking(connection.fd.get());
            waiter_.add(connection.fd.get(), EPOLLIN, i);
            const bool pause = i % 256 == 255 || i + 1 == connections_.size();
            if (!pause && !options_.greet) continue;
            budget_ = 1;
            send_lines(i, 1);
            if (pause) drain();
        }
    }

    std::uint64_t measure_time(std::size_t active, meter& meter) {
        begin(active, no_limit);
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

    std::uint64_t measure_requests(std::size_t active, meter& meter) {
        begin(active, std::max<std::uint64_t>(1000, 10 * active * options_.in_flight));
        drain();
        await_step(options_, "ready");
        const auto before = completed_;
        meter.start();
        begin(active, options_.requests);
        drain();
        meter.stop();
        return completed_ - before;
    }

    // The active connections are spread over all, so that no order of a server's favours them.
    void begin(std::size_t active, std::uint64_t budget) {
        budget_ = budget;
        for (std::size_t i = 0; i < active; ++i)
            send_lines(i * connections_.size() / active, options_.in_flight);
    }

    void run_until(clock::time_point end) {
        while (clock::now() < end) turn();
    }

    void drain() {
        while (awaited_ > 0) turn();
    }

    void turn() {
        for (const auto& event : waiter_.wait()) {
            const auto i = static_cast<std::size_t>(event.data.u64);
            if ((event.events & EPOLLOUT) != 0) flush(i);
            if ((event.events & ~static_cast<unsigned>(EPOLLOUT)) != 0) receive(i);
        }
    }

    void send_lines(std::size_t i, std::size_t count) {
        auto& connection = connections_[i];
        const auto lines = static_cast<std::size_t>(std::min<std::uint64_t>(count, budget_));
        if (lines == 0) return;
        const auto bytes = lines * options_.size;
        budget_ -= lines;
        awaited_ += lines;
        connection.unsent += bytes;
        connection.expected += bytes;
        if (connection.unsent == bytes) {  // otherwise flush() is waiting for room
            const auto n = send_now(connection.fd.get(), text_.at(connection.to_send), bytes);
            connection.unsent -= n;
            connection.to_send = text_.after(connection.to_send, n);
            if (n < bytes) waiter_.change(connection.fd.get(), EPOLLIN | EPOLLOUT, i);
        }
    }

    void flush(std::size_t i) {
        auto& connection = connections_[i];
        const auto n =
            send_now(connection.fd.get(), text_.at(connection.to_send), connection.unsent);
        connection.unsent -= n;
        connection.to_send = text_.after(connection.to_send, n);
        if (connection.unsent == 0) waiter_.change(connection.fd.get(), EPOLLIN, i);
    }

    static std::size_t send_now(int fd, const char* data, std::size_t size) {
        const auto n = ::send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) die_errno("send");
        return n < 0 ? 0 : static_cast<std::size_t>(n);
    }

    void receive(std::size_t i) {
        auto& connection = connections_[i];
        const auto result = ::recv(connection.fd.get(), buffer_.data(), buffer_.size(), 0);
        if (result < 0 && errno == EAGAIN) return;
        if (result < 0) die_errno("recv");
        if (result == 0) die("the server closed a connection");
        const auto n = static_cast<std::size_t>(result);
        if (n > connection.expected) die("more came back than was sent");
        if (std::memcmp(buffer_.data(), text_.at(connection.to_check), n) != 0)
            die("what came back is not what was sent");
        connection.expected -= n;
        connection.to_check = text_.after(connection.to_check, n);
        connection.partial += n;
        const auto lines = connection.partial / options_.size;
        connection.partial -= lines * options_.size;
        completed_ += lines;
        awaited_ -= lines;
        send_lines(i, lines);
    }

    const options& options_;
    text text_;
    waiter waiter_;
    std::vector<connection> connections_;
    std::uint64_t budget_ = 0;     // lines that may still be sent
    std::uint64_t awaited_ = 0;    // lines that have not come back yet
    std::uint64_t completed_ = 0;  // lines that have come back
    std::array<char, 65536> buffer_;
};

}  // namespace

void run_echo(const options& options) { echo_load(options).run(); }

}  // namespace load
