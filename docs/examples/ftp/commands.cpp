// Python: class FTPHandler, the commands that need no file; and the dict proto_cmds.
#include "handler.hpp"

#include "text.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <utility>

namespace ftp {

// The table.

struct FTPHandler::table {
    static const std::map<std::string_view, command> commands;
    static const command* find(std::string& name);
};

// clang-format off
const std::map<std::string_view, FTPHandler::command> FTPHandler::table::commands = {
    {"ABOR", {&FTPHandler::ftp_ABOR, ' ', true, takes::nothing, "ABOR (abort transfer)"}},
    {"ALLO", {&FTPHandler::ftp_ALLO, ' ', true, takes::something, "ALLO <SP> bytes (noop; allocate storage)"}},
    {"APPE", {&FTPHandler::ftp_APPE, 'a', true, takes::something, "APPE <SP> file-name (append data to file)"}},
    {"CDUP", {&FTPHandler::ftp_CDUP, 'e', true, takes::nothing, "CDUP (go to parent directory)"}},
    {"CWD", {&FTPHandler::ftp_CWD, 'e', true, takes::maybe, "CWD [<SP> dir-name] (change working directory)"}},
    {"DELE", {&FTPHandler::ftp_DELE, 'd', true, takes::something, "DELE <SP> file-name (delete file)"}},
    {"EPRT", {&FTPHandler::ftp_EPRT, ' ', true, takes::something, "EPRT <SP> |proto|ip|port| (extended active mode)"}},
    {"EPSV", {&FTPHandler::ftp_EPSV, ' ', true, takes::maybe, "EPSV [<SP> proto/\"ALL\"] (extended passive mode)"}},
    {"FEAT", {&FTPHandler::ftp_FEAT, ' ', false, takes::nothing, "FEAT (list all new features supported)"}},
    {"HELP", {&FTPHandler::ftp_HELP, ' ', false, takes::maybe, "HELP [<SP> cmd] (show help)"}},
    {"LIST", {&FTPHandler::ftp_LIST, 'l', true, takes::maybe, "LIST [<SP> path] (list files)"}},
    {"MDTM", {&FTPHandler::ftp_MDTM, 'l', true, takes::something, "MDTM <SP> path (file last modification time)"}},
    {"MFMT", {&FTPHandler::ftp_MFMT, 'T', true, takes::something, "MFMT <SP> timeval <SP> path (set file last modification time)"}},
    {"MKD", {&FTPHandler::ftp_MKD, 'm', true, takes::something, "MKD <SP> path (create directory)"}},
    {"MLSD", {&FTPHandler::ftp_MLSD, 'l', true, takes::maybe, "MLSD [<SP> path] (list directory)"}},
    {"MLST", {&FTPHandler::ftp_MLST, 'l', true, takes::maybe, "MLST [<SP> path] (show information about path)"}},
    {"MODE", {&FTPHandler::ftp_MODE, ' ', true, takes::something, "MODE <SP> mode (noop; set data transfer mode)"}},
    {"NLST", {&FTPHandler::ftp_NLST, 'l', true, takes::maybe, "NLST [<SP> path] (list path in a compact form)"}},
    {"NOOP", {&FTPHandler::ftp_NOOP, ' ', false, takes::nothing, "NOOP (just do nothing)"}},
    {"OPTS", {&FTPHandler::ftp_OPTS, ' ', true, takes::something, "OPTS <SP> cmd [<SP> option] (set option for command)"}},
    {"PASS", {&FTPHandler::ftp_PASS, ' ', false, takes::maybe, "PASS [<SP> password] (set user password)"}},
    {"PASV", {&FTPHandler::ftp_PASV, ' ', true, takes::nothing, "PASV (open passive data connection)"}},
    {"PORT", {&FTPHandler::ftp_PORT, ' ', true, takes::something, "PORT <SP> h,h,h,h,p,p (open active data connection)"}},
    {"PWD", {&FTPHandler::ftp_PWD, ' ', true, takes::nothing, "PWD (get current working directory)"}},
    {"QUIT", {&FTPHandler::ftp_QUIT, ' ', false, takes::nothing, "QUIT (quit current session)"}},
    {"REIN", {&FTPHandler::ftp_REIN, ' ', true, takes::nothing, "REIN (flush account)"}},
    {"REST", {&FTPHandler::ftp_REST, ' ', true, takes::something, "REST <SP> offset (set file offset)"}},
    {"RETR", {&FTPHandler::ftp_RETR, 'r', true, takes::something, "RETR <SP> file-name (retrieve a file)"}},
    {"RMD", {&FTPHandler::ftp_RMD, 'd', true, takes::something, "RMD <SP> dir-name (remove directory)"}},
    {"RNFR", {&FTPHandler::ftp_RNFR, 'f', true, takes::something, "RNFR <SP> file-name (rename (source name))"}},
    {"RNTO", {&FTPHandler::ftp_RNTO, 'f', true, takes::something, "RNTO <SP> file-name (rename (destination name))"}},
    {"SITE CHMOD", {&FTPHandler::ftp_SITE_CHMOD, 'M', true, takes::something, "SITE CHMOD <SP> mode path (change file mode)"}},
    {"SITE HELP", {&FTPHandler::ftp_SITE_HELP, ' ', false, takes::maybe, "SITE HELP [<SP> cmd] (show SITE command help)"}},
    {"SIZE", {&FTPHandler::ftp_SIZE, 'l', true, takes::something, "SIZE <SP> file-name (get file size)"}},
    {"STAT", {&FTPHandler::ftp_STAT, ' ', false, takes::maybe, "STAT [<SP> path] (server stats [list files])"}},
    {"STOR", {&FTPHandler::ftp_STOR, 'w', true, takes::something, "STOR <SP> file-name (store a file)"}},
    {"STOU", {&FTPHandler::ftp_STOU, 'w', true, takes::maybe, "STOU [<SP> name] (store a file with a unique name)"}},
    {"STRU", {&FTPHandler::ftp_STRU, ' ', true, takes::something, "STRU <SP> type (noop; set file structure)"}},
    {"SYST", {&FTPHandler::ftp_SYST, ' ', false, takes::nothing, "SYST (get operating system type)"}},
    {"TYPE", {&FTPHandler::ftp_TYPE, ' ', true, takes::something, "TYPE <SP> [A | I] (set transfer type)"}},
    {"USER", {&FTPHandler::ftp_USER, ' ', false, takes::something, "USER <SP> user-name (set username)"}},
    // RFC 1123: old clients have these names.
    {"XCUP", {&FTPHandler::ftp_CDUP, 'e', true, takes::nothing, "XCUP (obsolete; go to parent directory)"}},
    {"XCWD", {&FTPHandler::ftp_CWD, 'e', true, takes::maybe, "XCWD [<SP> dir-name] (obsolete; change directory)"}},
    {"XMKD", {&FTPHandler::ftp_MKD, 'm', true, takes::something, "XMKD <SP> dir-name (obsolete; create directory)"}},
    {"XPWD", {&FTPHandler::ftp_PWD, ' ', true, takes::nothing, "XPWD (obsolete; get current dir)"}},
    {"XRMD", {&FTPHandler::ftp_RMD, 'd', true, takes::something, "XRMD <SP> dir-name (obsolete; remove directory)"}},
};
// clang-format on

/// Some clients send bytes before an urgent ABOR that are no command of Telnet: the last four letters
/// count then.
const FTPHandler::command* FTPHandler::table::find(std::string& name) {
    auto found = commands.find(name);
    const auto end = name.size() > 4 ? name.substr(name.size() - 4) : name;
    if (found == commands.end() && (end == "ABOR" || end == "STAT" || end == "QUIT")) {
        name = end;
        found = commands.find(name);
    }
    return found == commands.end() ? nullptr : &found->second;
}

// Dispatch.

namespace {

/// The first word, and what is behind the space after it.
std::pair<std::string_view, std::string_view> first_word(std::string_view text) {
    const auto space = text.find(' ');
    return {text.substr(0, space), space == text.npos ? "" : text.substr(space + 1)};
}

constexpr std::string_view logged_perms = "dfmMT";  // of commands that change something

}  // namespace

void FTPHandler::pre_process_command(std::string_view line) {
    _idler.reset();
    auto [word, arg] = first_word(line);
    auto name = upper(word);
    if (name == "SITE") {
        if (arg.empty()) return respond("501 Syntax error: command needs an argument.");
        std::tie(word, arg) = first_word(arg);
        name += " " + upper(word);
    }
    const auto* known = table::find(name);
    if (!known) return respond("500 Command \"" + shown(name) + "\" not understood.");
    if (arg.empty() && known->arg == takes::something)
        return respond("501 Syntax error: command needs an argument.");
    if (!arg.empty() && known->arg == takes::nothing)
        return respond("501 Syntax error: command does not accept arguments.");
    if (!authenticated && (known->auth || (name == "STAT" && !arg.empty())))
        return respond("530 Log in with USER and PASS first.");
    const char perm = name == "STAT" && !arg.empty() ? 'l' : known->perm;
    if (perm != ' ' && server.authorizer->get_perms(username).find(perm) == std::string::npos)
        return respond("550 Not enough privileges.");
    process_command(name, *known, std::string(arg));
}

void FTPHandler::process_command(std::string_view name, const command& known,
                                 const std::string& arg) {
    try {
        (this->*known.call)(arg);
        if (logged_perms.find(known.perm) != logged_perms.npos)
            log_line(std::string(name) + " " + arg);
    } catch (const FilesystemError& error) {
        respond((error.is_temporary ? "450 " : "550 ") + std::string(error.what()) + ".");
    } catch (const std::system_error& error) {
        respond("451 " + error.code().message() + ".");
    } catch (const std::bad_alloc&) {
        respond("451 Out of memory.");
    }
}

// Logging in.

/// Says 331 whether or not there is such a user, so that a client cannot try names.
void FTPHandler::ftp_USER(const std::string& name) {
    const bool was_in = authenticated;
    if (was_in) flush_account();
    username = name;
    respond(was_in ? "331 Previous account information was flushed, send password."
                   : "331 Username ok, send password.");
}

void FTPHandler::ftp_PASS(const std::string& password) {
    if (authenticated) return respond("503 User already authenticated.");
    if (username.empty()) return respond("503 Login with USER first.");
    if (server.authorizer->validate_authentication(username, password)) handle_auth_success();
    else handle_auth_failed();
}

void FTPHandler::handle_auth_success() {
    fs = std::make_shared<AbstractedFS>(server.authorizer->get_home_dir(username));
    authenticated = true;
    attempted_logins = 0;
    login_timer_.cancel();
    log_line("logged in");
    respond("230 Login successful.");
}

/// The next commands of the client wait with the reply, so that a program cannot try many passwords.
void FTPHandler::handle_auth_failed() {
    log_line("failed login");
    username.clear();
    waits_for_login_ = true;
    call_later(server.set.auth_failed_timeout, [this] {
        waits_for_login_ = false;
        ++attempted_logins;
        if (attempted_logins >= server.set.max_login_attempts)
            return leave("530 Authentication failed. Disconnecting.");
        respond("530 Authentication failed.");
        take_lines();
    });
}

/// A transfer in progress goes on, as RFC 959 says.
void FTPHandler::flush_account() {
    _shutdown_connecting_dtp();
    if (data_channel && !data_channel->transfer_in_progress()) close_data_channel();
    log_line("logged out");
    authenticated = false;
    username.clear();
    attempted_logins = 0;
    fs.reset();
    _current_type = 'a';
    _restart_position = 0;
    _rnfr.clear();
    login_timer_ = call_later(server.set.login_timeout, [this] { leave("421 Login timed out."); });
}

void FTPHandler::ftp_REIN(const std::string&) {
    flush_account();
    respond("230 Ready for new user.");
}

/// A transfer in progress is finished first.  Until then nothing is read: the client may close its
/// half of the connection meanwhile.
void FTPHandler::ftp_QUIT(const std::string&) {
    if (!is_transferring()) return leave("221 Goodbye.");
    quits_ = _quit_pending = true;
    pause_reading_();
    respond("221 Goodbye.");
}

// What a client can set and ask.

void FTPHandler::ftp_TYPE(const std::string& arg) {
    auto type = upper(arg);
    std::erase(type, ' ');
    if (type == "A" || type == "AN" || type == "L7") {
        _current_type = 'a';
        respond("200 Type set to: ASCII.");
    } else if (type == "I" || type == "L8") {
        _current_type = 'i';
        respond("200 Type set to: Binary.");
    } else respond("504 Unsupported type \"" + shown(arg) + "\".");
}

void FTPHandler::ftp_STRU(const std::string& arg) {
    const auto stru = upper(arg);
    if (stru == "F") respond("200 File transfer structure set to: F.");
    else if (stru == "P" || stru == "R") respond("504 Unimplemented STRU type.");
    else respond("501 Unrecognized STRU type.");
}

void FTPHandler::ftp_MODE(const std::string& arg) {
    const auto mode = upper(arg);
    if (mode == "S") respond("200 Transfer mode set to: S");
    else if (mode == "B" || mode == "C") respond("504 Unimplemented MODE type.");
    else respond("501 Unrecognized MODE type.");
}

void FTPHandler::ftp_STAT(const std::string& arg) {
    if (!arg.empty()) return stat_of_path(arg);
    const auto here = socket.getsockname();
    std::string lines =
        " Connected to: " + here.host() + ":" + std::to_string(here.port()) + "\r\n";
    if (authenticated) lines += " Logged in as: " + shown(username) + "\r\n";
    else lines += username.empty() ? " Waiting for username.\r\n" : " Waiting for password.\r\n";
    lines += std::string(" TYPE: ") + (_current_type == 'a' ? "ASCII" : "Binary") +
             "; STRUcture: File; MODE: Stream\r\n";
    push_lines("211", "FTP server status:", lines + state_of_transfer());
    respond("211 End of status.");
}

std::string FTPHandler::state_of_transfer() const {
    if (_dtp_acceptor) return " Passive data channel waiting for connection.\r\n";
    if (!data_channel) return " Data connection closed.\r\n";
    return " Data connection open:\r\n Total bytes sent: " +
           std::to_string(data_channel->tot_bytes_sent) +
           "\r\n Total bytes received: " + std::to_string(data_channel->tot_bytes_received) +
           "\r\n";
}

void FTPHandler::ftp_FEAT(const std::string&) {
    std::string facts;
    for (const auto fact : available_facts) {
        const bool is_on =
            std::find(_current_facts.begin(), _current_facts.end(), fact) != _current_facts.end();
        facts.append(fact).append(is_on ? "*;" : ";");
    }
    push_lines("211", "Features supported:",
               " EPRT\r\n EPSV\r\n MDTM\r\n MFMT\r\n MLST " + facts +
                   "\r\n REST STREAM\r\n SIZE\r\n TVFS\r\n UTF8\r\n");
    respond("211 End FEAT.");
}

void FTPHandler::ftp_OPTS(const std::string& arg) {
    const auto [cmd, option] = first_word(arg);
    if (upper(cmd) == "UTF8" && upper(option) == "ON") return respond("200 Names are UTF-8.");
    if (upper(cmd) != "MLST") return respond("501 Unsupported command.");
    if (option.find(' ') != option.npos) return respond("501 Invalid number of arguments.");
    if (!option.empty() && option.find(';') == option.npos) return respond("501 Invalid argument.");
    _current_facts.clear();
    std::string names;
    for (const auto each : split(option, ';')) {
        const auto fact = lower(each);
        if (std::find(std::begin(available_facts), std::end(available_facts), fact) ==
                std::end(available_facts) ||
            std::find(_current_facts.begin(), _current_facts.end(), fact) != _current_facts.end())
            continue;
        _current_facts.push_back(fact);
        names += fact + ";";
    }
    respond("200 MLST OPTS " + names);
}

void FTPHandler::ftp_NOOP(const std::string&) { respond("200 I successfully did nothing."); }
void FTPHandler::ftp_SYST(const std::string&) { respond("215 UNIX Type: L8"); }
void FTPHandler::ftp_ALLO(const std::string&) { respond("202 No storage allocation necessary."); }

void FTPHandler::ftp_HELP(const std::string& arg) {
    if (!arg.empty()) {
        const auto found = table::commands.find(upper(arg));
        if (found == table::commands.end()) return respond("501 Unrecognized command.");
        return respond("214 Syntax: " + std::string(found->second.help) + ".");
    }
    std::string lines;
    int column = 0;
    for (const auto& [name, known] : table::commands) {
        if (name.starts_with("SITE ")) continue;
        lines.append(" ").append(name).append(7 - name.size(), ' ');
        if (++column % 8 == 0) lines += "\r\n";
    }
    push_lines("214", "The following commands are recognized:", lines + "\r\n");
    respond("214 Help command successful.");
}

void FTPHandler::ftp_SITE_HELP(const std::string& arg) {
    if (!arg.empty()) {
        const auto found = table::commands.find("SITE " + upper(arg));
        if (found == table::commands.end()) return respond("501 Unrecognized SITE command.");
        return respond("214 Syntax: " + std::string(found->second.help) + ".");
    }
    push_lines("214", "The following SITE commands are recognized:", " CHMOD\r\n HELP\r\n");
    respond("214 Help SITE command successful.");
}

}  // namespace ftp
