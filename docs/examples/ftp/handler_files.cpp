// Python: class FTPHandler, its commands for files and folders.
#include "handler.hpp"

#include "text.hpp"

#include <asynchat/producers/producers.hpp>

#include <utility>

#include <fcntl.h>

namespace ftp {

namespace {

/// Without what "/bin/ls" would take for options: some clients send LIST -la.
std::string_view without_options(std::string_view arg) {
    while (arg.starts_with('-')) {
        const auto space = arg.find(' ');
        arg = space == arg.npos ? "" : arg.substr(space + 1);
    }
    return arg;
}

/// Three or four octal digits.
std::optional<mode_t> to_mode(std::string_view text) {
    if (text.size() < 3 || text.size() > 4) return std::nullopt;
    mode_t mode = 0;
    for (const char c : text) {
        if (c < '0' || c > '7') return std::nullopt;
        mode = mode * 8 + static_cast<mode_t>(c - '0');
    }
    return mode;
}

}  // namespace

// Transfers of files.

void FTPHandler::ftp_RETR(const std::string& arg) {
    const auto path = fs->ftpnorm(arg);
    const auto from = std::exchange(_restart_position, 0);
    if (!may_transfer()) return;
    auto file = fs->open_to_read(path);
    if (!seek(file, from)) return;
    std::shared_ptr<asynchat::producer> source =
        std::make_shared<asynchat::file_producer>(std::move(file));
    if (_current_type == 'a') source = std::make_shared<ascii_producer>(source);
    start_transfer({"RETR", path, std::move(source), unique_fd(), false});
}

void FTPHandler::ftp_STOR(const std::string& arg) { store("STOR", arg, O_TRUNC); }

void FTPHandler::ftp_APPE(const std::string& arg) {
    if (_restart_position > 0) return respond("450 Can't APPE while REST request is pending.");
    store("APPE", arg, O_APPEND);
}

/// With REST, the file must exist, and keeps what is before the position.
void FTPHandler::store(std::string cmd, const std::string& arg, int flags) {
    const auto path = fs->ftpnorm(arg);
    const auto from = std::exchange(_restart_position, 0);
    if (!may_transfer()) return;
    auto file = fs->open_to_write(path, from > 0 ? 0 : flags);
    if (!seek(file, from)) return;
    start_transfer({std::move(cmd), path, nullptr, std::move(file), _current_type == 'a'});
}

void FTPHandler::ftp_STOU(const std::string& arg) {
    if (_restart_position > 0) return respond("450 Can't STOU while REST request is pending.");
    const auto [parent, wish] =
        split_path(arg.empty() ? join_path(fs->cwd, "ftpd") : fs->ftpnorm(arg));
    if (!may_transfer()) return;
    try {
        auto [file, name] = fs->mkstemp(parent, wish + ".");
        start_transfer(
            {"STOU", join_path(parent, name), nullptr, std::move(file), _current_type == 'a'},
            "FILE: " + shown(name));
    } catch (const FilesystemError& error) {
        respond("450 " + std::string(error.what()) + ".");  // RFC 959: STOU has no 550
    }
}

/// Goes to the position that REST has set.  If the file is shorter, replies so, and returns false.
bool FTPHandler::seek(const unique_fd& file, std::uint64_t position) {
    if (position == 0) return true;
    const auto end = ::lseek(file.get(), 0, SEEK_END);
    if (end >= 0 && position <= static_cast<std::uint64_t>(end))
        return ::lseek(file.get(), static_cast<off_t>(position), SEEK_SET) >= 0;
    respond("554 REST position (" + std::to_string(position) + ") > file size (" +
            std::to_string(end) + ")");
    return false;
}

// Listings.

std::shared_ptr<asynchat::producer> FTPHandler::list_of(const std::string& path) {
    if (fs->isdir(path)) {
        const auto where = std::make_shared<folder>(fs->open_folder(path));
        return std::make_shared<BufferedIteratorProducer>(fs->listdir(*where),
                                                          format_list(fs, where));
    }
    const auto [parent, name] = split_path(path);
    const auto where = std::make_shared<folder>(fs->open_folder(parent));
    fs->lstat(*where, name);  // throws if there is no such name
    return std::make_shared<BufferedIteratorProducer>(std::vector{name}, format_list(fs, where));
}

void FTPHandler::ftp_LIST(const std::string& arg) {
    const auto path = fs->ftpnorm(without_options(arg));
    if (may_transfer()) push_dtp_data("LIST", list_of(path));
}

void FTPHandler::ftp_NLST(const std::string& arg) {
    const auto path = fs->ftpnorm(without_options(arg));
    if (!may_transfer()) return;
    std::vector<std::string> names{split_path(path).second};
    if (fs->isdir(path)) names = fs->listdir(fs->open_folder(path));
    else if (!fs->lexists(path)) throw FilesystemError(ENOENT);
    push_dtp_data("NLST",
                  std::make_shared<BufferedIteratorProducer>(std::move(names), format_nlst));
}

void FTPHandler::ftp_MLSD(const std::string& arg) {
    const auto path = fs->ftpnorm(arg);
    if (!fs->isdir(path)) return respond("501 No such directory.");
    if (!may_transfer()) return;
    const auto where = std::make_shared<folder>(fs->open_folder(path));
    const auto perms = server.authorizer->get_perms(username);
    push_dtp_data("MLSD", std::make_shared<BufferedIteratorProducer>(
                              fs->listdir(*where), format_mlsx(fs, where, perms, _current_facts)));
}

void FTPHandler::ftp_MLST(const std::string& arg) {
    const auto path = fs->ftpnorm(arg);
    const auto perms = server.authorizer->get_perms(username);
    const auto facts = mlsx_facts(fs->stat(path), perms, _current_facts);
    push_lines("250", "Listing " + quoted(path) + ":", " " + facts + " " + shown(path) + "\r\n");
    respond("250 End MLST.");
}

void FTPHandler::stat_of_path(const std::string& arg) {
    if (arg.find_first_of("*?[") != arg.npos) return respond("550 Globbing not supported.");
    const auto path = fs->ftpnorm(arg);
    const auto lines = list_of(path);
    push_lines("213", "Status of " + quoted(path) + ":", "");
    push_with_producer(lines);
    respond("213 End of status.");
}

// Facts of a file.

void FTPHandler::ftp_SIZE(const std::string& arg) {
    const auto path = fs->ftpnorm(arg);
    // The size on the way would have to be counted.
    if (_current_type == 'a') return respond("550 SIZE not allowed in ASCII mode.");
    if (!fs->isfile(path)) return respond("550 " + shown(path) + " is not retrievable.");
    respond("213 " + std::to_string(fs->stat(path).st_size));
}

void FTPHandler::ftp_MDTM(const std::string& arg) {
    const auto path = fs->ftpnorm(arg);
    if (!fs->isfile(path)) return respond("550 " + shown(path) + " is not retrievable.");
    respond("213 " + time_value(fs->stat(path).st_mtime));
}

void FTPHandler::ftp_MFMT(const std::string& arg) {
    const auto space = arg.find(' ');
    if (space == arg.npos) return respond("501 Syntax error: command needs two arguments.");
    const auto when = to_time(arg.substr(0, space));
    if (!when) return respond("550 Invalid time format; expected: YYYYMMDDHHMMSS.");
    const auto path = fs->ftpnorm(arg.substr(space + 1));
    if (!fs->isfile(path)) return respond("550 " + shown(path) + " is not retrievable.");
    fs->utime(path, *when);
    respond("213 Modify=" + time_value(*when) + "; " + shown(path) + ".");
}

void FTPHandler::ftp_SITE_CHMOD(const std::string& arg) {
    const auto space = arg.find(' ');
    if (space == arg.npos) return respond("501 Syntax error: command needs two arguments.");
    const auto mode = to_mode(arg.substr(0, space));
    if (!mode) return respond("501 Invalid SITE CHMOD format.");
    fs->chmod(fs->ftpnorm(arg.substr(space + 1)), *mode);
    respond("200 SITE CHMOD successful.");
}

// Folders and names.

void FTPHandler::ftp_PWD(const std::string&) {
    respond("257 " + quoted(fs->cwd) + " is the current directory.");
}

void FTPHandler::ftp_CWD(const std::string& arg) {
    fs->chdir(fs->ftpnorm(arg.empty() ? "/" : arg));
    respond("250 " + quoted(fs->cwd) + " is the current directory.");
}

void FTPHandler::ftp_CDUP(const std::string&) { ftp_CWD(".."); }

void FTPHandler::ftp_MKD(const std::string& arg) {
    const auto path = fs->ftpnorm(arg);
    fs->mkdir(path);
    respond("257 " + quoted(path) + " directory created.");
}

void FTPHandler::ftp_RMD(const std::string& arg) {
    const auto path = fs->ftpnorm(arg);
    if (path == "/") return respond("550 Can't remove root directory.");
    fs->rmdir(path);
    respond("250 Directory removed.");
}

void FTPHandler::ftp_DELE(const std::string& arg) {
    fs->remove(fs->ftpnorm(arg));
    respond("250 File removed.");
}

void FTPHandler::ftp_RNFR(const std::string& arg) {
    const auto path = fs->ftpnorm(arg);
    if (path == "/") return respond("550 Can't rename home directory.");
    if (!fs->lexists(path)) return respond("550 No such file or directory.");
    _rnfr = path;
    respond("350 Ready for destination name.");
}

void FTPHandler::ftp_RNTO(const std::string& arg) {
    if (_rnfr.empty()) return respond("503 Bad sequence of commands: use RNFR first.");
    fs->rename(std::exchange(_rnfr, ""), fs->ftpnorm(arg));
    respond("250 Renaming ok.");
}

}  // namespace ftp
