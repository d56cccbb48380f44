// What tests have in common.  What CPython's tests take from threading, io and test.support has the
// names that it has there.
#pragma once

#include <asyncore/platform/socket.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <signal.h>

namespace support {

/// Python: "localhost".  In digits, so that no test leans on a resolver.
inline constexpr std::string_view HOST = "127.0.0.1";
inline constexpr std::string_view HOSTv6 = "::1";

/// Whether a socket can be bound to HOSTv6.
bool IPV6_ENABLED();

/// Binds `sock` to a free port of HOST, and returns the port.
std::uint16_t bind_port(asyncore::platform::socket& sock);

/// A socket that blocks, as a new socket does in Python; but never for longer than `patience`, so
/// that a defect of the library makes a test fail and not hang.
asyncore::platform::socket blocking(asyncore::platform::socket sock,
                                    std::chrono::milliseconds patience = std::chrono::seconds(30));

/// A connected pair over TCP: the client and the accepted socket.
std::pair<asyncore::platform::socket, asyncore::platform::socket> tcp_pair();

/// Python: os.pipe().  Neither end blocks.
struct pipe_ends {
    pipe_ends();
    asyncore::platform::unique_fd read, write;
};

/// SIGALRM every millisecond, while it lives.  System calls are not restarted after it.
class alarms {
public:
    explicit alarms(void (*handler)(int));
    ~alarms();
    alarms(const alarms&) = delete;
    alarms& operator=(const alarms&) = delete;

private:
    struct sigaction before_;
};

/// Counts how often a signal is caught, while it lives.
class counted_signal {
public:
    explicit counted_signal(int signal);
    ~counted_signal();
    counted_signal(const counted_signal&) = delete;
    counted_signal& operator=(const counted_signal&) = delete;
    int count() const { return static_cast<int>(count_); }

private:
    static volatile std::sig_atomic_t count_;
    int signal_;
    struct sigaction before_ {};
};

/// Whether `function`, called in a child process, returned true.
bool in_child(const std::function<bool()>& function);

bool is_open(int fd);

asyncore::platform::unique_fd dev_null();

/// The number that the next descriptor gets.  It is the same as before if no descriptor leaked.
int next_descriptor();

/// Lets this process have `wanted` descriptors.
void raise_descriptor_limit(std::size_t wanted);

/// Waits until the descriptor is readable or writable.  Returns: false if it is not within `limit`.
bool wait_readable(int fd, std::chrono::milliseconds limit);
bool wait_writable(int fd, std::chrono::milliseconds limit);

/// Python: threading.Event.
class Event {
public:
    void set();
    void clear();
    /// Throws: std::runtime_error if it is not set within a minute.
    void wait();

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool set_ = false;
};

/// A new directory.  The destructor removes it with all that is in it.
class TempDir {
public:
    TempDir();
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    std::string operator/(std::string_view name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

/// Collects what is written to a stream while it lives.
class captured_output {
public:
    explicit captured_output(std::ostream& stream);
    ~captured_output();
    captured_output(const captured_output&) = delete;
    captured_output& operator=(const captured_output&) = delete;
    std::string getvalue() const { return text_.str(); }

private:
    std::ostream& stream_;
    std::ostringstream text_;
    std::streambuf* before_;
};
captured_output captured_stdout();
captured_output captured_stderr();

/// Python: text.splitlines().
std::vector<std::string> splitlines(const std::string& text);

/// Python: open(path, 'rb').read().
std::string read_file(const std::string& path);
/// Python: open(path, 'wb').write(data).
void write_file(const std::string& path, std::string_view data);

}  // namespace support
