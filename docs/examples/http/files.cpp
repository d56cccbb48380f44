#include "files.hpp"

#include "request.hpp"
#include "text.hpp"

#include <asyncore/platform/error.hpp>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include <dirent.h>
#include <fcntl.h>

namespace http {

namespace {

// O_NONBLOCK: to open a FIFO would block the server until another process writes to it.
constexpr int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW;

[[noreturn]] void refuse(int error) {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        throw http_error(404, "There is no file of that name.");
    case EACCES:
    case EPERM:
    case ELOOP:
    case ENXIO:
        throw http_error(403, "The file may not be read.");
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        throw http_error(503, "The server is busy.");
    default:
        throw http_error(500, "The file could not be opened.");
    }
}

http_error outside() { return {403, "The path leads out of the folder that is served."}; }

struct free_memory {
    void operator()(char* memory) const noexcept { std::free(memory); }
};

/// The path, absolute and without links; empty for the root of the file system.
/// Returns: null if there is no such path; errno says why.
std::unique_ptr<char, free_memory> real_path(const std::string& path) {
    std::unique_ptr<char, free_memory> real(::realpath(path.c_str(), nullptr));
    if (real && std::string_view(real.get()) == "/") *real = '\0';
    return real;
}

/// Takes "/name" off the front of `path`.  Returns: the name.
std::string take_name(std::string_view& path) {
    path.remove_prefix(1);
    std::string name(path.substr(0, path.find('/')));
    path.remove_prefix(name.size());
    return name;
}

bool goes_up(std::string_view path) {
    while (!path.empty())
        if (take_name(path) == "..") return true;
    return false;
}

/// Opens the file at `path` below the folder `root`.  The path has no symbolic link.  A link that
/// another process puts into it meanwhile is refused, not followed.
unique_fd open_below(int root, std::string_view path) {
    unique_fd fd(::openat(root, ".", flags | O_DIRECTORY));
    if (fd.get() < 0) refuse(errno);
    while (!path.empty()) {
        const auto name = take_name(path);
        const int folder = path.empty() ? 0 : O_DIRECTORY;
        unique_fd next(::openat(fd.get(), name.c_str(), flags | folder));
        if (next.get() < 0) refuse(errno);
        fd = std::move(next);
    }
    return fd;
}

/// The names in a folder, sorted.  The name of a folder ends in a slash.
std::vector<std::string> names_in(const opened& folder) {
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
    return names;
}

struct media {
    std::string_view suffix, type;
};
constexpr media media_types[] = {
    {"CSS", "text/css; charset=utf-8"},
    {"GIF", "image/gif"},
    {"GZ", "application/gzip"},
    {"HTM", "text/html; charset=utf-8"},
    {"HTML", "text/html; charset=utf-8"},
    {"ICO", "image/x-icon"},
    {"JPEG", "image/jpeg"},
    {"JPG", "image/jpeg"},
    {"JS", "text/javascript; charset=utf-8"},
    {"JSON", "application/json"},
    {"MD", "text/markdown; charset=utf-8"},
    {"MP3", "audio/mpeg"},
    {"MP4", "video/mp4"},
    {"PDF", "application/pdf"},
    {"PNG", "image/png"},
    {"SVG", "image/svg+xml"},
    {"TXT", "text/plain; charset=utf-8"},
    {"WASM", "application/wasm"},
    {"WEBP", "image/webp"},
    {"WOFF2", "font/woff2"},
    {"XML", "application/xml"},
    {"ZIP", "application/zip"},
};

}  // namespace

document_root::document_root(const std::string& folder) {
    const auto real = real_path(folder);
    if (!real) throw asyncore::platform::os_error(errno, folder);
    name_ = real.get();
    fd_.reset(::open((name_ + "/").c_str(), flags | O_DIRECTORY));
    if (fd_.get() < 0) throw asyncore::platform::os_error(errno, folder);
}

opened document_root::open(const std::string& path) const {
    if (goes_up(path)) throw outside();
    const auto real = real_path(name_ + path);
    if (!real) refuse(errno);
    std::string_view below(real.get());
    if (!below.starts_with(name_)) throw outside();
    below.remove_prefix(name_.size());
    if (!below.empty() && below[0] != '/') throw outside();

    opened file{open_below(fd_.get(), below)};
    if (::fstat(file.fd.get(), &file.about) < 0) refuse(errno);
    if (!S_ISREG(file.about.st_mode) && !file.is_folder())
        throw http_error(403, "The path names neither a file nor a folder.");
    return file;
}

std::string folder_index(const opened& folder) {
    std::string list = "<ul>\n";
    for (const std::string_view name : names_in(folder)) {
        const bool is_folder = name.ends_with('/');
        const auto bare = name.substr(0, name.size() - (is_folder ? 1 : 0));
        list.append("<li><a href=\"").append(percent_encoded(bare)).append(is_folder ? "/" : "");
        list.append("\">").append(html_escaped(name)).append("</a>\n");
    }
    return list.append("</ul>\n");
}

std::string_view media_type(std::string_view path) {
    const auto name = path.substr(path.rfind('/') + 1);
    const auto dot = name.rfind('.');
    const auto suffix = dot == name.npos ? "" : upper(name.substr(dot + 1));
    for (const auto& each : media_types)
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
