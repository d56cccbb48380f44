#include "files.hpp"

#include "request.hpp"
#include "text.hpp"

#include <asyncore/platform/error.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <vector>

#include <dirent.h>
#include <fcntl.h>

namespace http {

namespace {

constexpr std::size_t piece_size = 65536;

// A FIFO would block the server until somebody writes to it; O_NONBLOCK opens it, to be refused.
constexpr int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW;

[[noreturn]] void refuse(int error) {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        throw http_error(404, "There is nothing of that name here.");
    case EACCES:
    case EPERM:
    case ELOOP:
    case ENXIO:
        throw http_error(403, "That cannot be read.");
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        throw http_error(503, "The server is busy.");
    default:
        throw http_error(500, "The file could not be opened.");
    }
}

struct free_memory {
    void operator()(char* memory) const noexcept { std::free(memory); }
};

/// Absolute, without links; empty for the root of the file system.  Null: see errno.
std::unique_ptr<char, free_memory> real_path(const std::string& path) {
    std::unique_ptr<char, free_memory> real(::realpath(path.c_str(), nullptr));
    if (real && std::string_view(real.get()) == "/") *real = '\0';
    return real;
}

bool goes_up(std::string_view path) {
    while (!path.empty()) {
        path.remove_prefix(1);
        const auto name = path.substr(0, path.find('/'));
        if (name == "..") return true;
        path.remove_prefix(name.size());
    }
    return false;
}

}  // namespace

document_root::document_root(const std::string& folder) {
    const auto real = real_path(folder);
    if (!real) throw asyncore::platform::os_error(errno, folder);
    name_ = real.get();
    fd_.reset(::open((name_ + "/").c_str(), flags | O_DIRECTORY));
    if (fd_.get() < 0) throw asyncore::platform::os_error(errno, folder);
}

opened document_root::open(const std::string& path) const {
    if (goes_up(path)) throw http_error(403, "That lies outside.");
    const auto real = real_path(name_ + path);
    if (!real) refuse(errno);
    std::string_view rest(real.get());
    if (!rest.starts_with(name_) || (rest.size() > name_.size() && rest[name_.size()] != '/'))
        throw http_error(403, "That lies outside.");
    rest.remove_prefix(name_.size());

    // Here is no link any more.  One that somebody puts in its way now is refused, not followed.
    opened file;
    file.fd.reset(::openat(fd_.get(), ".", flags | O_DIRECTORY));
    while (file.fd.get() >= 0 && !rest.empty()) {
        rest.remove_prefix(1);
        const std::string name(rest.substr(0, rest.find('/')));
        rest.remove_prefix(name.size());
        const int directory = rest.empty() ? 0 : O_DIRECTORY;
        file.fd = unique_fd(::openat(file.fd.get(), name.c_str(), flags | directory));
    }
    if (file.fd.get() < 0 || ::fstat(file.fd.get(), &file.about) < 0) refuse(errno);
    if (!S_ISREG(file.about.st_mode) && !file.is_folder())
        throw http_error(403, "That is neither a file nor a folder.");
    return file;
}

std::string folder_index(const opened& folder) {
    unique_fd copy(::openat(folder.fd.get(), ".", flags | O_DIRECTORY));
    if (copy.get() < 0) refuse(errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(copy.get()), ::closedir);
    if (!entries) refuse(errno);
    [[maybe_unused]] const int owned_by_entries = copy.release();

    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(entries.get())) {
        std::string name(entry->d_name);
        if (name == "." || name == "..") continue;
        struct stat about {};
        if (::fstatat(folder.fd.get(), name.c_str(), &about, AT_SYMLINK_NOFOLLOW) < 0) continue;
        names.push_back(S_ISDIR(about.st_mode) ? name + '/' : name);
    }
    std::sort(names.begin(), names.end());

    std::string list = "<ul>\n";
    for (const std::string_view name : names) {
        const bool is_folder = name.ends_with('/');
        const auto bare = name.substr(0, name.size() - (is_folder ? 1 : 0));
        list.append("<li><a href=\"").append(percent_encoded(bare)).append(is_folder ? "/" : "");
        list.append("\">").append(html_escaped(name)).append("</a>\n");
    }
    return list.append("</ul>\n");
}

std::string_view media_type(std::string_view path) {
    struct known {
        std::string_view suffix, type;
    };
    static constexpr std::array types{
        known{"CSS", "text/css; charset=utf-8"},
        known{"GIF", "image/gif"},
        known{"GZ", "application/gzip"},
        known{"HTM", "text/html; charset=utf-8"},
        known{"HTML", "text/html; charset=utf-8"},
        known{"ICO", "image/x-icon"},
        known{"JPEG", "image/jpeg"},
        known{"JPG", "image/jpeg"},
        known{"JS", "text/javascript; charset=utf-8"},
        known{"JSON", "application/json"},
        known{"MD", "text/markdown; charset=utf-8"},
        known{"MP3", "audio/mpeg"},
        known{"MP4", "video/mp4"},
        known{"PDF", "application/pdf"},
        known{"PNG", "image/png"},
        known{"SVG", "image/svg+xml"},
        known{"TXT", "text/plain; charset=utf-8"},
        known{"WASM", "application/wasm"},
        known{"WEBP", "image/webp"},
        known{"WOFF2", "font/woff2"},
        known{"XML", "application/xml"},
        known{"ZIP", "application/zip"},
    };
    const auto name = path.substr(path.rfind('/') + 1);
    const auto dot = name.rfind('.');
    const auto suffix = dot == name.npos ? "" : upper(name.substr(dot + 1));
    for (const auto& each : types)
        if (each.suffix == suffix) return each.type;
    return "application/octet-stream";
}

std::string file_producer::more() {
    std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(left_, piece_size)), '\0');
    const auto count = piece.empty() ? 0 : ::read(fd_.get(), piece.data(), piece.size());
    piece.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    left_ -= piece.size();
    return piece;
}

}  // namespace http
