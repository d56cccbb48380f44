#include "filesystem.hpp"

#include "text.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <random>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>

namespace ftp {

namespace {

#ifdef O_PATH
constexpr int search = O_PATH;  // a folder on the way need not be readable
#else
constexpr int search = O_RDONLY;
#endif
constexpr int folder_flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
// O_NONBLOCK: to open a FIFO would block the server until another process opens it, too.
constexpr int file_flags = O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC;

constexpr int tries_to_name = 50;

struct free_memory {
    void operator()(char* memory) const noexcept { std::free(memory); }
};

void check(int result) {
    if (result < 0) throw FilesystemError(errno);
}

unique_fd checked_fd(int fd) {
    check(fd);
    return unique_fd(fd);
}

/// Takes the next name off the front of "/name/name".
std::string take_name(std::string_view& path) {
    path.remove_prefix(1);
    std::string name(path.substr(0, path.find('/')));
    path.remove_prefix(name.size());
    return name;
}

/// A FIFO or a device is neither read nor written to.
unique_fd regular(unique_fd file) {
    struct stat about {};
    check(::fstat(file.get(), &about));
    if (S_ISDIR(about.st_mode)) throw FilesystemError(EISDIR);
    if (!S_ISREG(about.st_mode)) throw FilesystemError("Not a regular file");
    return file;
}

std::string random_name(const std::string& prefix) {
    static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789_";
    static std::minstd_rand dice(std::random_device{}());
    std::string name = prefix;
    for (int i = 0; i < 8; ++i) name += letters[dice() % letters.size()];
    return name;
}

}  // namespace

FilesystemError::FilesystemError(int error)
    : runtime_error(std::generic_category().message(error)),
      is_temporary(error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOSPC ||
                   error == EDQUOT || error == EAGAIN) {}

std::pair<std::string, std::string> split_path(std::string_view path) {
    const auto slash = path.rfind('/');
    return {slash == 0 ? "/" : std::string(path.substr(0, slash)),
            std::string(path.substr(slash + 1))};
}

std::string join_path(std::string_view folder, std::string_view name) {
    return std::string(folder).append(folder == "/" ? "" : "/").append(name);
}

AbstractedFS::AbstractedFS(const std::string& home) {
    const std::unique_ptr<char, free_memory> real(::realpath(home.c_str(), nullptr));
    if (!real) throw FilesystemError(errno);
    home_fd_ = checked_fd(::open(real.get(), search | O_DIRECTORY | O_CLOEXEC));
    home_ = real.get();
    if (home_ == "/") home_.clear();
}

// Paths.

std::string AbstractedFS::ftpnorm(std::string_view path) const {
    if (path.find('\0') != path.npos) throw FilesystemError("A name has no zero byte");
    const auto whole = path.starts_with('/') ? std::string(path) : join_path(cwd, path);
    std::vector<std::string_view> names;
    for (const auto name : split(whole, '/')) {
        if (name.empty() || name == ".") continue;
        if (name != "..") names.push_back(name);
        else if (!names.empty()) names.pop_back();
    }
    std::string result;
    for (const auto name : names) result.append("/").append(name);
    return result.empty() ? "/" : result;
}

/// The path without links: "" for the home, else "/name/name" below it.
std::string AbstractedFS::real_path(const std::string& path) const {
    const std::unique_ptr<char, free_memory> real(::realpath((home_ + path).c_str(), nullptr));
    if (!real) throw FilesystemError(errno);
    const std::string_view found(real.get());
    const auto below = found.substr(std::min(home_.size(), found.size()));
    if (!found.starts_with(home_) || !(below.empty() || below[0] == '/'))
        throw FilesystemError("The path leads out of the user's home");
    return below == "/" ? "" : std::string(below);
}

unique_fd AbstractedFS::open_real_folder(std::string_view real) const {
    auto fd = checked_fd(::openat(home_fd_.get(), ".", search | folder_flags));
    while (!real.empty()) {
        const auto name = take_name(real);
        fd = checked_fd(::openat(fd.get(), name.c_str(), search | folder_flags));
    }
    return fd;
}

/// For an operation on the name itself, such as DELE of a link.
AbstractedFS::place AbstractedFS::place_of(const std::string& path) const {
    const auto [parent, name] = split_path(path);
    return {open_real_folder(real_path(parent)), name.empty() ? "." : name};
}

/// For an operation on the file that the path leads to.
AbstractedFS::place AbstractedFS::place_behind_links(const std::string& path) const {
    const auto real = real_path(path);
    if (real.empty()) return {open_real_folder(real), "."};
    const auto [parent, name] = split_path(real);
    return {open_real_folder(parent == "/" ? "" : parent), name};
}

// Operations.

void AbstractedFS::chdir(const std::string& path) {
    const auto [parent, name] = place_behind_links(path);
    // The folder must be one that the server could read in: as os.chdir() asks.
    check(::faccessat(parent.get(), name.c_str(), X_OK, AT_EACCESS));
    checked_fd(::openat(parent.get(), name.c_str(), search | folder_flags));
    cwd = path;
}

void AbstractedFS::mkdir(const std::string& path) const {
    const auto [parent, name] = place_of(path);
    check(::mkdirat(parent.get(), name.c_str(), 0777));
}

void AbstractedFS::rmdir(const std::string& path) const {
    const auto [parent, name] = place_of(path);
    check(::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR));
}

void AbstractedFS::remove(const std::string& path) const {
    const auto [parent, name] = place_of(path);
    check(::unlinkat(parent.get(), name.c_str(), 0));
}

void AbstractedFS::rename(const std::string& from, const std::string& to) const {
    const auto [old_parent, old_name] = place_of(from);
    const auto [new_parent, new_name] = place_of(to);
    check(::renameat(old_parent.get(), old_name.c_str(), new_parent.get(), new_name.c_str()));
}

void AbstractedFS::chmod(const std::string& path, mode_t mode) const {
    const auto [parent, name] = place_behind_links(path);
    check(::fchmodat(parent.get(), name.c_str(), mode, AT_SYMLINK_NOFOLLOW));
}

void AbstractedFS::utime(const std::string& path, std::time_t when) const {
    const auto [parent, name] = place_behind_links(path);
    const timespec times[2] = {{when, 0}, {when, 0}};
    check(::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW));
}

// Files.

unique_fd AbstractedFS::open_to_read(const std::string& path) const {
    const auto [parent, name] = place_behind_links(path);
    return regular(checked_fd(::openat(parent.get(), name.c_str(), O_RDONLY | file_flags)));
}

unique_fd AbstractedFS::open_to_write(const std::string& path, int flags) const {
    const int create = flags == 0 ? 0 : O_CREAT;
    const auto [parent, name] = lexists(path) ? place_behind_links(path) : place_of(path);
    return regular(checked_fd(
        ::openat(parent.get(), name.c_str(), O_WRONLY | flags | create | file_flags, 0666)));
}

std::pair<unique_fd, std::string> AbstractedFS::mkstemp(const std::string& path,
                                                        const std::string& prefix) const {
    const auto parent = open_real_folder(real_path(path));
    for (int i = 0; i < tries_to_name; ++i) {
        const auto name = random_name(prefix);
        unique_fd fd(
            ::openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | file_flags, 0600));
        if (fd.get() >= 0) return {std::move(fd), name};
        if (errno != EEXIST) throw FilesystemError(errno);
    }
    throw FilesystemError("No usable unique file name found");
}

// Questions.

struct stat AbstractedFS::stat(const std::string& path) const {
    const auto [parent, name] = place_behind_links(path);
    struct stat about {};
    check(::fstatat(parent.get(), name.c_str(), &about, AT_SYMLINK_NOFOLLOW));
    return about;
}

bool AbstractedFS::lexists(const std::string& path) const {
    const auto [parent, name] = place_of(path);
    struct stat about {};
    return ::fstatat(parent.get(), name.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0;
}

/// As in Python, a path that leads nowhere is neither a folder nor a file.
bool AbstractedFS::isdir(const std::string& path) const {
    try {
        return S_ISDIR(stat(path).st_mode);
    } catch (const FilesystemError&) {
        return false;
    }
}

bool AbstractedFS::isfile(const std::string& path) const {
    try {
        return S_ISREG(stat(path).st_mode);
    } catch (const FilesystemError&) {
        return false;
    }
}

// Folders.

folder AbstractedFS::open_folder(const std::string& path) const {
    const auto [parent, name] = place_behind_links(path);
    return {checked_fd(::openat(parent.get(), name.c_str(), O_RDONLY | folder_flags)), path};
}

std::vector<std::string> AbstractedFS::listdir(const folder& where) const {
    auto copy = checked_fd(::openat(where.fd.get(), ".", O_RDONLY | folder_flags));
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(copy.get()), ::closedir);
    if (!entries) throw FilesystemError(errno);
    [[maybe_unused]] const int owned_by_entries = copy.release();

    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(entries.get())) {
        const std::string_view name(entry->d_name);
        if (name != "." && name != "..") names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

struct stat AbstractedFS::lstat(const folder& where, const std::string& name) const {
    struct stat about {};
    check(::fstatat(where.fd.get(), name.c_str(), &about, AT_SYMLINK_NOFOLLOW));
    return about;
}

struct stat AbstractedFS::stat(const folder& where, const std::string& name) const {
    const auto about = lstat(where, name);
    return S_ISLNK(about.st_mode) ? stat(join_path(where.path, name)) : about;
}

std::string AbstractedFS::readlink(const folder& where, const std::string& name) const {
    char target[PATH_MAX];
    const auto size = ::readlinkat(where.fd.get(), name.c_str(), target, sizeof target);
    if (size < 0) throw FilesystemError(errno);
    return {target, static_cast<std::size_t>(size)};
}

}  // namespace ftp
