#include "support.hpp"

#include <asyncore/platform/error.hpp>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

namespace support {

using asyncore::platform::address;
using asyncore::platform::os_error;
using asyncore::platform::throw_errno;
using std::chrono::milliseconds;

namespace {

bool wait_for(int fd, short events, milliseconds limit) {
    pollfd asked{fd, events, 0};
    return ::poll(&asked, 1, static_cast<int>(limit.count())) > 0;
}

}  // namespace

bool IPV6_ENABLED() {
    try {
        asyncore::platform::socket(AF_INET6, SOCK_STREAM).bind(address(HOSTv6, 0));
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

std::uint16_t bind_port(asyncore::platform::socket& sock) {
    sock.bind(address(HOST, 0));
    return sock.getsockname().port();
}

asyncore::platform::socket blocking(asyncore::platform::socket sock, milliseconds patience) {
    sock.setblocking(true);
    timeval limit{};
    limit.tv_sec = static_cast<time_t>(patience.count() / 1000);
    limit.tv_usec = static_cast<suseconds_t>(patience.count() % 1000 * 1000);
    for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
        if (::setsockopt(sock.fileno(), SOL_SOCKET, option, &limit, sizeof limit) < 0)
            throw_errno("setsockopt");
    return sock;
}

std::pair<asyncore::platform::socket, asyncore::platform::socket> tcp_pair() {
    using asyncore::platform::socket;
    socket server(AF_INET, SOCK_STREAM), client(AF_INET, SOCK_STREAM);
    server.bind({HOST, 0});
    server.listen(1);
    client.setblocking(true);
    if (const int error = client.connect_ex(server.getsockname())) throw os_error(error, "connect");
    server.setblocking(true);
    int error = 0;
    auto accepted = server.accept(error).first;
    if (error != 0) throw os_error(error, "accept");
    client.setblocking(false);
    return {std::move(client), std::move(accepted)};
}

pipe_ends::pipe_ends() {
    int ends[2];
    if (::pipe(ends) < 0) throw_errno("pipe");
    read.reset(ends[0]);
    write.reset(ends[1]);
    for (const int end : ends) asyncore::platform::set_blocking(end, false);
}

alarms::alarms(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    if (::sigaction(SIGALRM, &action, &before_) < 0) throw_errno("sigaction");
    const itimerval every{{0, 1000}, {0, 1000}};
    if (::setitimer(ITIMER_REAL, &every, nullptr) < 0) throw_errno("setitimer");
}

alarms::~alarms() {
    const itimerval off{};
    ::setitimer(ITIMER_REAL, &off, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
}

volatile std::sig_atomic_t counted_signal::count_ = 0;

counted_signal::counted_signal(int signal) : signal_(signal) {
    count_ = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { count_ = count_ + 1; };
    if (::sigaction(signal, &action, &before_) < 0) throw_errno("sigaction");
}

counted_signal::~counted_signal() { ::sigaction(signal_, &before_, nullptr); }

bool in_child(const std::function<bool()>& function) {
    const auto child = ::fork();
    if (child < 0) throw_errno("fork");
    if (child == 0) {
        try {
            ::_exit(function() ? 0 : 1);
        } catch (const std::exception& error) {
            std::cerr << "in the child: " << error.what() << std::endl;
            ::_exit(2);
        }
    }
    int status = 0;
    if (::waitpid(child, &status, 0) < 0) throw_errno("waitpid");
    return status == 0;
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

asyncore::platform::unique_fd dev_null() {
    return asyncore::platform::unique_fd(::open("/dev/null", O_RDWR));
}

int next_descriptor() {
    const int next = ::dup(0);
    ::close(next);
    return next;
}

void raise_descriptor_limit(std::size_t wanted) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) throw_errno("getrlimit");
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = wanted;
    if (::setrlimit(RLIMIT_NOFILE, &limit) < 0) throw_errno("setrlimit");
}

bool wait_readable(int fd, milliseconds limit) { return wait_for(fd, POLLIN, limit); }

bool wait_writable(int fd, milliseconds limit) { return wait_for(fd, POLLOUT, limit); }

void Event::set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
}

void Event::clear() {
    const std::lock_guard lock(mutex_);
    set_ = false;
}

void Event::wait() {
    std::unique_lock lock(mutex_);
    // The limit is by the system's clock: ThreadSanitizer does not know waits by the steady clock.
    const auto limit = std::chrono::system_clock::now() + std::chrono::minutes(1);
    if (!changed_.wait_until(lock, limit, [&] { return set_; }))
        throw std::runtime_error("the event was not set");
}

TempDir::TempDir() {
    auto name = (std::filesystem::temp_directory_path() / "asyncore.XXXXXX").string();
    if (!::mkdtemp(name.data())) throw_errno("mkdtemp");
    path_ = name;
}

TempDir::~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

captured_output::captured_output(std::ostream& stream)
    : stream_(stream), before_(stream.rdbuf(text_.rdbuf())) {}

captured_output::~captured_output() { stream_.rdbuf(before_); }

captured_output captured_stdout() { return captured_output(std::cout); }

captured_output captured_stderr() { return captured_output(std::cerr); }

std::vector<std::string> splitlines(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, std::string_view data) {
    std::ofstream(path, std::ios::binary) << data;
}

}  // namespace support
