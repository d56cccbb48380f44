// The cost of a case of size N: doubling CASE N.  The twin for CPython is doubling_cpython.py.
//
// It prints the CPU seconds, user and system, of the case without its preparation.
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>

namespace {

double cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// The CPU seconds of `work`.  This is never inlined, for doubling.py has valgrind count inside it.
[[gnu::noinline]] double measured(const std::function<void()>& work) {
    const auto before = cpu_seconds();
    work();
    return cpu_seconds() - before;
}

void check(bool as_it_should_be) {
    if (!as_it_should_be) throw std::runtime_error("the case did not do what it should");
}

/// Receives the bytes of `arriving`, without a socket.
class reader : public asynchat::async_chat {
public:
    std::string_view arriving;
    std::size_t collected = 0;
    std::size_t messages = 0;

    std::size_t recv(std::span<char> buffer) override {
        const auto count = arriving.copy(buffer.data(), buffer.size());
        arriving.remove_prefix(count);
        return count;
    }
    void collect_incoming_data(std::string_view data) override { collected += data.size(); }
    void found_terminator() override { ++messages; }
};

/// Sends everything, or nothing while it is blocked, without a socket.
class writer : public asynchat::async_chat {
public:
    std::size_t sent = 0;
    bool blocked = false;

    writer() { connected = true; }
    std::size_t send(std::string_view data) override {
        if (blocked) return 0;
        sent += data.size();
        return data.size();
    }
};

class one_block : public asynchat::producer {
public:
    explicit one_block(std::string data) : data_(std::move(data)) {}
    std::string more() override { return std::exchange(data_, {}); }

private:
    std::string data_;
};

double read_all(reader& channel, std::string_view stream) {
    channel.arriving = stream;
    return measured([&] {
        while (!channel.arriving.empty()) channel.handle_read();
    });
}

/// N messages of five bytes in one read.
double messages(std::size_t n) {
    std::string stream;
    for (std::size_t i = 0; i < n; ++i) stream += "hello\r\n";
    reader channel;
    channel.set_terminator("\r\n");
    channel.ac_in_buffer_size = static_cast<std::uint32_t>(stream.size());
    const auto seconds = read_all(channel, stream);
    check(channel.messages == n && channel.collected == 5 * n);
    return seconds;
}

/// A terminator of N bytes, of which each read brings one.
double trickle(std::size_t n) {
    const auto terminator = std::string(n - 1, 'a') + "b";
    reader channel;
    channel.set_terminator(terminator);
    channel.ac_in_buffer_size = 1;
    const auto seconds = read_all(channel, terminator);
    check(channel.messages == 1 && channel.collected == 0);
    return seconds;
}

/// N KiB that begin a terminator of 40 KiB again and again, in reads of 4096 bytes.
double long_terminator(std::size_t n) {
    const auto terminator = std::string(40 * 1024 - 1, 'a') + "b";
    std::string stream(n * 1024, 'a');
    for (std::size_t i = 0; i < stream.size(); i += 30'000) stream[i] = 'x';
    stream += terminator;
    reader channel;
    channel.set_terminator(terminator);
    channel.ac_in_buffer_size = 4096;
    const auto seconds = read_all(channel, stream);
    check(channel.messages == 1 && channel.collected == n * 1024);
    return seconds;
}

/// One block of N MiB from a producer, in sends of 4096 bytes.
double producer(std::size_t n) {
    const auto size = n << 20;
    writer channel;
    channel.ac_out_buffer_size = 4096;
    const auto made = std::make_shared<one_block>(std::string(size, 'x'));
    const auto seconds = measured([&] {
        channel.push_with_producer(made);
        while (!channel.producer_fifo.empty()) channel.handle_write();
    });
    check(channel.sent == size);
    return seconds;
}

/// N pushes of 1 KiB while the peer does not read; then the peer reads everything.
double pushes(std::size_t n) {
    const std::string kilobyte(1024, 'x');
    writer channel;
    const auto seconds = measured([&] {
        channel.blocked = true;
        for (std::size_t i = 0; i < n; ++i) channel.push(kilobyte);
        check(channel.sent == 0);
        channel.blocked = false;
        while (!channel.producer_fifo.empty()) channel.handle_write();
    });
    check(channel.sent == n * 1024);
    return seconds;
}

/// N sends of 1 KiB while the peer does not read; then the peer reads everything.
double blocked(std::size_t n) {
    auto pair = asyncore::socket_t::pair();
    auto& socket = pair.first;
    auto& peer = pair.second;
    std::size_t expected = n * 1024;
    const std::string kilobyte(1024, 'x');
    while (const auto count = socket.send(kilobyte).count) expected += count;
    std::vector<char> space(65536);
    std::size_t received = 0;
    asyncore::channel_map map;
    asyncore::dispatcher_with_send channel(std::move(socket), &map);
    const auto seconds = measured([&] {
        for (std::size_t i = 0; i < n; ++i) channel.send(kilobyte);
        check(channel.out_buffer.size() == n * 1024);
        while (const auto count = peer.recv(space).count) {
            received += count;
            if (!channel.out_buffer.empty()) channel.handle_write();
        }
    });
    check(received == expected);
    return seconds;
}

const std::map<std::string, double (*)(std::size_t)> cases = {
    {"messages", messages}, {"trickle", trickle}, {"long_terminator", long_terminator},
    {"producer", producer}, {"pushes", pushes},   {"blocked", blocked},
};

}  // namespace

int main(int argc, char** argv) {
    const auto found = argc == 3 ? cases.find(argv[1]) : cases.end();
    if (found == cases.end()) {
        std::fputs("usage: doubling CASE N\n", stderr);
        return 2;
    }
    std::printf("%.6f\n", found->second(std::stoul(argv[2])));
}
