#include <asyncore/log/loggers.hpp>

#include <asyncore/platform/error.hpp>
#include <asyncore/platform/file.hpp>

#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>

namespace asyncore {

namespace {

using std::chrono::system_clock;

/// Python: logging.Formatter.formatTime().
std::string asctime_of(system_clock::time_point now) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
    const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(now - seconds).count();
    const std::time_t time = system_clock::to_time_t(seconds);
    std::tm local{};
    ::localtime_r(&time, &local);
    std::array<char, 64> text{};
    const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
    const auto room = text.size() - length;
    std::snprintf(text.data() + length, room, ",%03d", static_cast<int>(milliseconds));
    return text.data();
}

void append_escaped(std::string& line, std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (code >= 32 && code != 127) line += c;
        else if (c == '\n') line += "\\n";
        else if (c == '\r') line += "\\r";
        else if (c == '\t') line += "\\t";
        else (line += "\\x") += {digits[code >> 4], digits[code & 15]};
    }
}

platform::unique_fd opened(const std::string& path) {
    platform::unique_fd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
    if (file.get() < 0) throw platform::os_error(errno, path);
    return file;
}

std::size_t size_of(int fd) {
    struct stat found {};
    return ::fstat(fd, &found) == 0 ? static_cast<std::size_t>(found.st_size) : 0;
}

}  // namespace

file_logger::file_logger(std::string path, options how)
    : path_(std::move(path)),
      how_(std::move(how)),
      file_(opened(path_)),
      size_(size_of(file_.get())) {}

/// A line that the system does not take is lost.
void file_logger::operator()(std::string_view message, std::string_view type) {
    auto line = asctime_of(how_.now()) + " ";
    append_escaped(line, type);
    line += ": ";
    append_escaped(line, message);
    line += '\n';
    const std::lock_guard lock(mutex_);
    const bool is_full = how_.max_bytes > 0 && size_ > 0 && size_ + line.size() > how_.max_bytes;
    if (is_full) rotate();
    size_ += platform::write_file(file_.get(), line).count;
}

void file_logger::reopen() {
    const std::lock_guard lock(mutex_);
    file_ = opened(path_);
    size_ = size_of(file_.get());
}

/// PATH.1 becomes PATH.2, and so on; PATH becomes PATH.1.  If the new file cannot be opened, the old file
/// is written to under its new name.
void file_logger::rotate() noexcept {
    namespace fs = std::filesystem;
    try {
        std::error_code ignored;
        const auto name = [this](int n) { return path_ + "." + std::to_string(n); };
        if (how_.backups < 1) fs::remove(path_, ignored);
        for (int n = how_.backups - 1; n > 0; --n) fs::rename(name(n), name(n + 1), ignored);
        if (how_.backups > 0) fs::rename(path_, name(1), ignored);
        file_ = opened(path_);
        size_ = size_of(file_.get());
    } catch (const std::exception&) {
        size_ = 0;  // so the rotation is tried again after max_bytes more
    }
}

syslog_logger::syslog_logger(std::string ident, int facility) : ident_(std::move(ident)) {
    ::openlog(ident_.c_str(), LOG_PID, facility);
}

syslog_logger::~syslog_logger() { ::closelog(); }

void syslog_logger::operator()(std::string_view message, std::string_view type) const {
    const int priority = type == "error" ? LOG_ERR : type == "warning" ? LOG_WARNING : LOG_INFO;
    ::syslog(priority, "%.*s", static_cast<int>(message.size()), message.data());
}

void tail_logger::operator()(std::string_view message, std::string_view type) {
    lines_.push_back(std::string(type) + ": " + std::string(message));
    if (lines_.size() > size_) lines_.pop_front();
}

}  // namespace asyncore
