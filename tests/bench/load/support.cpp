#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.hpp"

namespace load {

namespace {

constexpr int max_events = 4096;
constexpr int patience_ms = 60'000;

sockaddr_in loopback(std::uint32_t address, std::uint16_t port) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_addr.s_addr = htonl(address);
    result.sin_port = htons(port);
    return result;
}

descriptor open_socket(int flags) {
    descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    if (fd.get() < 0) die_errno("socket");
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

double cpu_seconds(clockid_t id) {
    timespec time{};
    if (::clock_gettime(id, &time) != 0) die_errno("clock_gettime");
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// The second number of schedstat: the nanoseconds on a run queue.  It is 0 where the kernel does
// not count them.
double seconds_waited(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/schedstat");
    double ran = 0;
    double waited = 0;
    file >> ran >> waited;
    return waited * 1e-9;
}

}  // namespace

void die(std::string_view what) {
    std::fprintf(stderr, "load: %.*s\n", static_cast<int>(what.size()), what.data());
    std::exit(EXIT_FAILURE);
}

void die_errno(std::string_view what) { die(std::string(what) + ": " + std::strerror(errno)); }

descriptor& descriptor::operator=(descriptor&& other) noexcept {
    if (this != &other) {
        reset();
        fd_ = other.fd_;
        other.fd_ = -1;
    }
    return *this;
}

void descriptor::reset() noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

descriptor connect_to(std::uint16_t port) {
    auto fd = open_socket(0);
    const auto address = loopback(INADDR_LOOPBACK, port);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        die_errno("connect");
    return fd;
}

descriptor start_connecting(std::uint16_t port, std::uint32_t source) {
    auto fd = open_socket(SOCK_NONBLOCK);
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    const auto from = loopback(source, 0);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0)
        die_errno("bind");
    const auto to = loopback(INADDR_LOOPBACK, port);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
        errno != EINPROGRESS)
        die_errno("connect");
    return fd;
}

void set_non_blocking(int fd) {
    if (::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) die_errno("fcntl");
}

waiter::waiter() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), ready_(max_events) {
    if (epoll_.get() < 0) die_errno("epoll_create1");
}

void waiter::control(int operation, int fd, unsigned events, std::size_t index) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = index;
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) die_errno("epoll_ctl");
}

std::span<const epoll_event> waiter::wait() {
    for (;;) {
        const int n = ::epoll_wait(epoll_.get(), ready_.data(), max_events, patience_ms);
        if (n > 0) return {ready_.data(), static_cast<std::size_t>(n)};
        if (n == 0) die("the server has been silent for too long");
        if (errno != EINTR) die_errno("epoll_wait");
    }
}

meter::meter(pid_t server) : server_(server) {
    if (server == 0) return;
    clockid_t id{};
    if (::clock_getcpuclockid(server, &id) != 0) die("no CPU clock of that process");
    server_clock_ = id;
}

meter::sample meter::take() const {
    return {clock::now(), server_clock_ ? cpu_seconds(*server_clock_) : 0.0,
            cpu_seconds(CLOCK_PROCESS_CPUTIME_ID), seconds_waited(server_),
            seconds_waited(::getpid())};
}

void meter::start() { begin_ = take(); }

void meter::stop() { end_ = take(); }

std::string meter::json() const {
    const seconds length = end_.at - begin_.at;
    auto result = "\"seconds\": " + std::to_string(length.count());
    const auto add = [&](const char* name, double value) {
        result += std::string(", \"") + name + "\": " + std::to_string(value);
    };
    if (server_clock_) add("server_cpu", end_.server - begin_.server);
    if (server_clock_) add("server_waited", end_.server_waited - begin_.server_waited);
    add("generator_cpu", end_.own - begin_.own);
    add("generator_waited", end_.own_waited - begin_.own_waited);
    return result;
}

void await_step(const options& options, std::string_view state) {
    if (!options.step) return;
    print_line("{\"state\": \"" + std::string(state) + "\"}");
    for (int c = 0; c != '\n' && c != EOF;) c = std::getchar();
}

void print_line(std::string_view text) {
    std::printf("%.*s\n", static_cast<int>(text.size()), text.data());
    std::fflush(stdout);
}

}  // namespace load
