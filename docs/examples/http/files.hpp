// Files below a folder, and nothing else.
#pragma once

#include <asynchat/producer.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#include <sys/stat.h>

namespace http {

using asyncore::platform::unique_fd;

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
    /// Absolute, without links.
    const std::string& name() const noexcept { return name_; }

    /// Opens what stands at `path`, which begins with a slash and may go through symbolic links, if
    /// these stay below the root.
    /// Throws: http_error: 403 for what lies outside, is no file or must not be read, 404 for what
    ///         is not there, 503 where there are no more descriptors, else 500.
    opened open(const std::string& path) const;

private:
    unique_fd fd_;
    std::string name_;
};

/// What a folder has, as HTML: a list of links.
std::string folder_index(const opened& folder);

/// The Content-Type of a file of that name.
std::string_view media_type(std::string_view path);

/// The first `size` bytes of a file, a piece at a time.  Ends early if the file has become shorter:
/// then the client gets less than it was promised, and knows.
class file_producer : public asynchat::producer {
public:
    file_producer(unique_fd fd, std::uint64_t size) : fd_(std::move(fd)), left_(size) {}
    std::string more() override;

private:
    unique_fd fd_;
    std::uint64_t left_;
};

}  // namespace http
