// Files below a folder.  No path leads out of it.
#pragma once

#include <asynchat/producer.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#include <sys/stat.h>

namespace http {

using asyncore::platform::unique_fd;

/// So many bytes are received, sent, or read from a file at a time.
inline constexpr std::size_t piece_size = 65536;

/// A regular file or a folder, open for reading.
struct opened {
    unique_fd fd;
    struct stat about {};
    bool is_folder() const { return S_ISDIR(about.st_mode); }
};

class document_root {
public:
    /// Throws: std::system_error if there is no such folder.
    explicit document_root(const std::string& folder);
    /// The folder's path, absolute and without links.
    const std::string& name() const noexcept { return name_; }

    /// Opens the file or folder at `path`.  The path begins with a slash; it may go through
    /// symbolic links that stay below the root.
    ///
    /// Throws: http_error: 404 if the path does not exist; 403 if it leads out of the root, names
    ///         neither a file nor a folder, or may not be read; 503 if the process has no
    ///         descriptor left; else 500.
    opened open(const std::string& path) const;

private:
    unique_fd fd_;
    std::string name_;
};

/// The names in a folder as an HTML list of links.
std::string folder_index(const opened& folder);

/// The Content-Type of a file of that name.
std::string_view media_type(std::string_view path);

/// The first `size` bytes of a file, a piece at a time.  If the file has become shorter, the
/// producer ends early; the client then gets fewer bytes than Content-Length says, and notices.
class file_producer : public asynchat::producer {
public:
    file_producer(unique_fd fd, std::uint64_t size) : fd_(std::move(fd)), left_(size) {}
    std::string more() override;

private:
    unique_fd fd_;
    std::uint64_t left_;
};

}  // namespace http
