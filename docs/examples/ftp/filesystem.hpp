// The files of a user: no path leads out of the user's home.
// Python: filesystems.py of pyftpdlib, class AbstractedFS.
#pragma once

#include <asyncore/platform/unique_fd.hpp>

#include <ctime>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>

namespace ftp {

using asyncore::platform::unique_fd;

/// An operation on a file has failed.  The text is for the client.
class FilesystemError : public std::runtime_error {
public:
    explicit FilesystemError(const std::string& why) : runtime_error(why) {}
    /// The error that errno was.
    explicit FilesystemError(int error);
    /// Whether the client may try the same command again later: the server or its disk is full.
    bool is_temporary = false;
};

/// An open folder below the home of a user.
struct folder {
    unique_fd fd;
    std::string path;  // as the client sees it: absolute, "/" is the home
};

/// The paths are as the client sees them, and as ftpnorm() makes them.
///
/// How a path is kept below the home: realpath() resolves the links of the path, the result must be
/// below the home, and then each folder on the way is opened from the one before it, with
/// O_NOFOLLOW.  So a link that another process puts into the path meanwhile is refused, and not
/// followed.  Linux could do the same in one openat2() with RESOLVE_BENEATH; this way works on every
/// system, and allows absolute links that stay below the home.  The last name of a path is used with
/// the ...at() calls, in the folder that was opened.
///
/// Each method throws FilesystemError if it fails.
class AbstractedFS {
public:
    explicit AbstractedFS(const std::string& home);

    std::string cwd = "/";

    /// The path from the home to `path`, which may begin at cwd.  The path has no ".", ".." or empty
    /// name; ".." of the home is the home.
    std::string ftpnorm(std::string_view path) const;

    void chdir(const std::string& path);
    void mkdir(const std::string& path) const;
    void rmdir(const std::string& path) const;
    void remove(const std::string& path) const;
    void rename(const std::string& from, const std::string& to) const;
    void chmod(const std::string& path, mode_t mode) const;
    void utime(const std::string& path, std::time_t when) const;

    /// A regular file.
    unique_fd open_to_read(const std::string& path) const;
    /// The same, or a new file.  `flags`: O_TRUNC, O_APPEND, or 0; then the file must exist.
    unique_fd open_to_write(const std::string& path, int flags) const;
    /// A new file in the folder `path`, whose name begins with `prefix`; and its name.
    std::pair<unique_fd, std::string> mkstemp(const std::string& path,
                                              const std::string& prefix) const;

    struct stat stat(const std::string& path) const;
    bool lexists(const std::string& path) const;
    bool isdir(const std::string& path) const;
    bool isfile(const std::string& path) const;

    folder open_folder(const std::string& path) const;
    /// The names in a folder, sorted.
    std::vector<std::string> listdir(const folder& where) const;
    // Of a name in an open folder.
    struct stat lstat(const folder& where, const std::string& name) const;
    struct stat stat(const folder& where, const std::string& name) const;
    std::string readlink(const folder& where, const std::string& name) const;

private:
    /// A folder that is open, and a name in it.
    struct place {
        unique_fd folder;
        std::string name;
    };
    std::string real_path(const std::string& path) const;
    unique_fd open_real_folder(std::string_view real) const;
    place place_of(const std::string& path) const;
    place place_behind_links(const std::string& path) const;

    std::string home_;  // absolute and without links; empty for the root of the file system
    unique_fd home_fd_;
};

/// The folder that a path is in, and its last name, which is "" for "/".
/// Python: os.path.split().
std::pair<std::string, std::string> split_path(std::string_view path);
std::string join_path(std::string_view folder, std::string_view name);

}  // namespace ftp
