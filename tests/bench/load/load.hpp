// The load generator: what its cases share.
//
// It is one process with one epoll descriptor, it uses the loopback only, and it does not use the
// library that it measures.  Each case prints a JSON object for each measurement, on a line of its
// own, and ends with a message at the first wrong byte.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/epoll.h>
#include <time.h>

namespace load {

using clock = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

struct options {
    std::uint16_t port = 0;
    std::size_t connections = 1;      // how many connections are open
    std::vector<std::size_t> active;  // how many of them talk, a number for each measurement
    std::size_t in_flight = 1;        // how many lines are sent ahead of the answer
    std::size_t size = 64;            // bytes of a line, with its end
    std::uint64_t bytes = 64 << 20;   // bytes of a message
    std::uint64_t requests = 0;       // how many requests to measure; 0: measure for `length`
    seconds length{1};
    seconds warm_up{0.25};
    pid_t server = 0;    // the process whose CPU time is reported
    bool step = false;   // wait for a line on stdin before and after measuring
    bool greet = false;  // each connection sends one line when it is set up
};

[[noreturn]] void die(std::string_view what);
[[noreturn]] void die_errno(std::string_view what);

/// Owns a descriptor.
class descriptor {
public:
    explicit descriptor(int fd = -1) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    descriptor& operator=(descriptor&& other) noexcept;
    ~descriptor() { reset(); }

    int get() const noexcept { return fd_; }
    void reset() noexcept;

private:
    int fd_;
};

/// A connected socket, which is still blocking.
descriptor connect_to(std::uint16_t port);

/// A non-blocking socket that connects from the given address of 127.0.0.0/8.  With many
/// addresses, closed connections do not use up the ports of one.
descriptor start_connecting(std::uint16_t port, std::uint32_t source);

void set_non_blocking(int fd);

/// The epoll descriptor.  It limits how long a server may be silent.
class waiter {
public:
    waiter();
    void add(int fd, unsigned events, std::size_t index) {
        control(EPOLL_CTL_ADD, fd, events, index);
    }
    void change(int fd, unsigned events, std::size_t index) {
        control(EPOLL_CTL_MOD, fd, events, index);
    }
    std::span<const epoll_event> wait();

private:
    void control(int operation, int fd, unsigned events, std::size_t index);

    descriptor epoll_;
    std::vector<epoll_event> ready_;
};

/// Measures the time, the server's CPU time and the generator's CPU time between start() and
/// stop().  It also measures how long each was ready to run and waited for its core, which tells
/// whether other processes used the core.
class meter {
public:
    explicit meter(pid_t server);
    void start();
    void stop();

    /// The figures as JSON members, without braces.
    std::string json() const;

private:
    struct sample {
        clock::time_point at;
        double server;
        double own;
        double server_waited;
        double own_waited;
    };
    sample take() const;

    pid_t server_;
    std::optional<clockid_t> server_clock_;
    sample begin_{};
    sample end_{};
};

/// With --step: prints that everything is prepared (or measured), and waits for a line on stdin.
void await_step(const options& options, std::string_view state);

void print_line(std::string_view text);

void run_echo(const options& options);
void run_connect(const options& options);
void run_sink(const options& options);

}  // namespace load
