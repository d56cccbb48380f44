// Where a map can send what its channels log: `map.log = std::ref(logger)`.  Python: logger.py of medusa.
#pragma once

#include <asyncore/platform/unique_fd.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace asyncore {

/// Appends a line for each message to a file: "2026-11-27 12:00:00,123 error: the message".  Control
/// characters of the message are written as in "\n", so a peer cannot forge a line.  Several maps
/// may use it, in several threads.
class file_logger {
public:
    struct options {
        std::size_t max_bytes = 0;  // a file that would become longer is renamed; 0: no limit
        int backups = 1;            // how many old files are kept: PATH.1 is the newest
        std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
    };
    /// Throws: std::system_error if the file cannot be opened.
    explicit file_logger(std::string path) : file_logger(std::move(path), options()) {}
    file_logger(std::string path, options how);

    void operator()(std::string_view message, std::string_view type);
    /// Opens the file anew.  A program calls it after another program renamed the file; see signals.
    /// Throws: std::system_error.  Then it goes on with the old file.
    void reopen();

private:
    void rotate() noexcept;

    const std::string path_;
    const options how_;
    std::mutex mutex_;  // guards the members below
    platform::unique_fd file_;
    std::size_t size_ = 0;
};

/// Sends each message to syslog(3).  The type "error" has the priority LOG_ERR, "warning" has LOG_WARNING,
/// and any other has LOG_INFO.
class syslog_logger {
public:
    /// `facility`: LOG_DAEMON and so on.  The process has one ident: that of the newest logger.
    explicit syslog_logger(std::string ident, int facility);
    ~syslog_logger();
    syslog_logger(const syslog_logger&) = delete;
    syslog_logger& operator=(const syslog_logger&) = delete;

    void operator()(std::string_view message, std::string_view type) const;

private:
    const std::string ident_;
};

/// Keeps the last `size` messages, for a page or a command that shows them.  For one thread.
class tail_logger {
public:
    explicit tail_logger(std::size_t size = 500) : size_(size) {}
    void operator()(std::string_view message, std::string_view type);
    /// "type: message", the oldest first.
    const std::deque<std::string>& lines() const noexcept { return lines_; }

private:
    std::size_t size_;
    std::deque<std::string> lines_;
};

}  // namespace asyncore
