// The control connection of a client: its commands, and their replies.
// Python: handlers.py of pyftpdlib, class FTPHandler.
//
// handler.cpp has the lines, the replies and the time-outs; commands.cpp the table of commands, and the
// commands that need no file; handler_data.cpp the data connections; handler_files.cpp the commands for
// files.
#pragma once

#include "data_channel.hpp"
#include "filesystem.hpp"
#include "listing.hpp"
#include "servers.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/flow/line_limited.hpp>
#include <asyncore/asyncore.hpp>
#include <asyncore/children/children.hpp>
#include <asyncore/flow/pausable.hpp>
#include <asyncore/timers/timers.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ftp {

/// Commands are taken one at a time: a command waits until the replies to the one before it have left.
/// A client that sends a thousand commands and reads nothing costs the memory of one read.
class FTPHandler : public asyncore::timed<asyncore::pausable<asynchat::async_chat>> {
public:
    FTPServer& server;  // which must live longer than its sessions

    FTPHandler(FTPServer& server, asyncore::socket_t sock, const asyncore::address& peer);

    std::string remote_ip;
    bool authenticated = false;
    std::string username;
    int attempted_logins = 0;
    std::shared_ptr<AbstractedFS> fs;  // null until the client has logged in
    std::shared_ptr<DTPHandler> data_channel;

    void collect_incoming_data(std::string_view data) override;
    void found_terminator() override;
    void handle_write() override;
    void handle_expt() override {}  // the byte of Telnet's Synch is read with the others
    void handle_error() override;
    void close() override;

    void respond(std::string_view line);
    /// Sends the last reply, and closes when it has left, or when the client did not take it in time.
    void leave(std::string_view line);
    /// Where there is no memory for the line, it is lost, and nothing else is.
    void log_line(std::string_view message, std::string_view detail = "");
    void log_transfer(const transfer& done, bool is_complete, std::uint64_t bytes, double seconds);
    std::weak_ptr<FTPHandler> weak_self();

    // What the data channels call.

    void _on_dtp_connection(asyncore::socket_t sock);
    void _on_dtp_close(std::string_view reply);
    void _on_dtp_failure(std::string_view why);
    void _on_active_failure(std::string_view why);

protected:
    /// Forgets the line that is being collected.
    void drop_line() { line_.clear(); }

private:
    using method = void (FTPHandler::*)(const std::string& arg);
    enum class takes { nothing, maybe, something };
    struct command {
        method call;
        char perm;  // which permission it needs; ' ': none
        bool auth;  // whether it needs a login
        takes arg;
        std::string_view help;
    };
    struct table;

    // Lines.
    void take_lines();
    void pre_process_command(std::string_view line);
    void process_command(std::string_view name, const command& known, const std::string& arg);
    void start_idler();
    void handle_timeout();
    void finish();
    void push_lines(std::string_view code, std::string_view title, const std::string& lines);

    // Logging in.
    void ftp_USER(const std::string& name);
    void ftp_PASS(const std::string& password);
    void ftp_REIN(const std::string&);
    void ftp_QUIT(const std::string&);
    void handle_auth_failed();
    void handle_auth_success();
    void flush_account();

    // Data connections.
    void ftp_PORT(const std::string& arg);
    void ftp_EPRT(const std::string& arg);
    void ftp_PASV(const std::string&);
    void ftp_EPSV(const std::string& arg);
    void ftp_ABOR(const std::string&);
    void ftp_REST(const std::string& arg);
    void refuse_protocol(std::string_view given);
    void _make_eport(const std::string& ip, std::uint64_t port);
    void _make_epasv(bool extmode);
    void _shutdown_connecting_dtp();
    void close_data_channel();
    bool is_transferring() const;
    bool may_transfer();
    void start_transfer(transfer job, std::string_view message = "");
    void run_transfer(transfer job);
    void end_transfer(std::string_view reply);
    void push_dtp_data(std::string cmd, std::shared_ptr<asynchat::producer> source);

    // Files.
    void ftp_RETR(const std::string& arg);
    void ftp_STOR(const std::string& arg);
    void ftp_APPE(const std::string& arg);
    void ftp_STOU(const std::string& arg);
    void ftp_LIST(const std::string& arg);
    void ftp_NLST(const std::string& arg);
    void ftp_MLSD(const std::string& arg);
    void ftp_MLST(const std::string& arg);
    void ftp_SIZE(const std::string& arg);
    void ftp_MDTM(const std::string& arg);
    void ftp_MFMT(const std::string& arg);
    void ftp_PWD(const std::string&);
    void ftp_CWD(const std::string& arg);
    void ftp_CDUP(const std::string&);
    void ftp_MKD(const std::string& arg);
    void ftp_RMD(const std::string& arg);
    void ftp_DELE(const std::string& arg);
    void ftp_RNFR(const std::string& arg);
    void ftp_RNTO(const std::string& arg);
    void ftp_SITE_CHMOD(const std::string& arg);
    bool seek(const unique_fd& file, std::uint64_t position);
    void store(std::string cmd, const std::string& arg, int flags);
    void stat_of_path(const std::string& arg);
    std::shared_ptr<asynchat::producer> list_of(const std::string& path);

    // The rest.
    void ftp_TYPE(const std::string& arg);
    void ftp_STRU(const std::string& arg);
    void ftp_MODE(const std::string& arg);
    void ftp_STAT(const std::string& arg);
    void ftp_FEAT(const std::string&);
    void ftp_OPTS(const std::string& arg);
    void ftp_NOOP(const std::string&);
    void ftp_SYST(const std::string&);
    void ftp_ALLO(const std::string&);
    void ftp_HELP(const std::string& arg);
    void ftp_SITE_HELP(const std::string& arg);
    std::string state_of_transfer() const;

    std::string line_;               // what came of the line that the client sends
    std::deque<std::string> lines_;  // lines that wait for their turn
    bool waits_for_login_ = false;   // a wrong password is answered later
    bool quits_ = false;             // the client's further lines count for nothing
    bool _quit_pending = false;      // it quits when the transfer has ended
    asyncore::timer _idler, login_timer_;

    std::shared_ptr<PassiveDTP> _dtp_acceptor;
    std::shared_ptr<ActiveDTP> _dtp_connector;
    std::optional<transfer> _dtp_queue;  // waits for the data connection
    bool _epsvall = false;

    char _current_type = 'a';
    std::uint64_t _restart_position = 0;
    std::string _rnfr;
    std::vector<std::string> _current_facts{available_facts, available_facts + usual_facts};
};

/// What the server spawns: an FTPHandler with a limit on its lines, which the server counts.
class session : public asyncore::child<asynchat::line_limited<FTPHandler>> {
public:
    session(FTPServer& server, asyncore::socket_t sock, const asyncore::address& peer);
    void handle_line_limit_() override;
};

}  // namespace ftp
