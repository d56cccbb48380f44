// Python: Lib/smtpd.py of 3.11, class by class and in its order.
//
// An SMTP server (RFC 5321, with the SIZE of RFC 1870 and the SMTPUTF8 of RFC 6531).  Derive from
// SMTPServer and override process_message(); DebuggingServer and PureProxy show how.
#pragma once

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "python.hpp"
#include "smtplib.hpp"

namespace smtpd {

using asyncore::address;
using asyncore::socket_t;
using py::list;

extern std::string program;  // argv[0], for usage()
inline constexpr std::string_view version = "Python SMTP proxy version 0.3";  // Python: __version__

/// Where debugging prints go.
extern std::ostream Devnull;
extern std::ostream* DEBUGSTREAM;
inline constexpr std::string_view NEWLINE = "\n";
inline constexpr std::string_view COMMASPACE = ", ";
inline constexpr std::int64_t DATA_SIZE_DEFAULT = 33554432;

/// Prints how to call the program, and `msg`, to standard error.
/// Throws: asyncore::SystemExit.
[[noreturn]] void usage(int code, const std::string& msg = "");

/// The keyword arguments of both classes, with Python's defaults.  A limit of 0 is Python's None.
struct keywords {
    std::int64_t data_size_limit = DATA_SIZE_DEFAULT;
    asyncore::channel_map* map = nullptr;
    bool enable_SMTPUTF8 = false;
    bool decode_data = false;
};

/// The argument of a command.  None: there was none, not even a space.
using argument = std::optional<std::string>;
/// Python: a dict; the value of a parameter that has none is True.
using parameters = std::map<std::string, std::optional<std::string>, std::less<>>;

class SMTPServer;

class SMTPChannel : public asynchat::async_chat {
public:
    static constexpr int COMMAND = 0;
    static constexpr int DATA = 1;

    std::int64_t command_size_limit = 512;
    /// By command.  As in Python there is one for all channels of the process, which each new one
    /// clears, and which keeps whatever it was asked for.  Python: a defaultdict.
    struct limit_of_512 {
        std::int64_t value = 512;
        operator std::int64_t() const { return value; }
        void operator+=(std::int64_t more) { value += more; }
    };
    static inline std::map<std::string, limit_of_512> command_size_limits;
    virtual std::int64_t max_command_size_limit() const;

    SMTPServer* smtp_server;  // never null; must live longer than its channels
    socket_t& conn = socket;
    std::int64_t data_size_limit;
    bool enable_SMTPUTF8;
    bool _decode_data;
    static constexpr std::string_view _emptystring = "";
    static constexpr std::string_view _linesep = "\r\n";
    static constexpr char _dotsep = '.';
    static constexpr std::string_view _newline = NEWLINE;

    int smtp_state = COMMAND;
    std::string mailfrom;  // None is empty
    list rcpttos;
    list mail_options, rcpt_options;
    bool require_SMTPUTF8 = false;
    std::int64_t num_bytes = 0;
    std::string received_data;
    list received_lines;
    std::string seen_greeting;
    bool extended_smtp = false;
    std::string fqdn;
    address peer;

    /// Throws: std::invalid_argument if both decode_data and enable_SMTPUTF8 are set.
    SMTPChannel(SMTPServer& server, socket_t conn, const address& addr, const keywords& given = {});

    void _set_post_data_state();
    void _set_rset_state();

    // The names of long ago.  Python warns when they are used, C++ when that is compiled; two
    // underscores are not for us to have, so these begin with one.
    // clang-format off
    [[deprecated("use smtp_server")]] SMTPServer*& _server() { return smtp_server; }
    [[deprecated("use received_lines")]] list& _line() { return received_lines; }
    [[deprecated("use smtp_state")]] int& _state() { return smtp_state; }
    [[deprecated("use seen_greeting")]] std::string& _greeting() { return seen_greeting; }
    [[deprecated("use mailfrom")]] std::string& _mailfrom() { return mailfrom; }
    [[deprecated("use rcpttos")]] list& _rcpttos() { return rcpttos; }
    [[deprecated("use received_data")]] std::string& _data() { return received_data; }
    [[deprecated("use fqdn")]] std::string& _fqdn() { return fqdn; }
    [[deprecated("use peer")]] address& _peer() { return peer; }
    [[deprecated("use conn")]] socket_t& _conn() { return conn; }
    [[deprecated("use addr")]] address& _addr() { return addr; }
    // clang-format on

    /// Sends a line of text.
    /// Throws: py::UnicodeError for what is not ASCII, unless the client asked for SMTPUTF8.
    void push(std::string_view msg) override;
    void collect_incoming_data(std::string_view data) override;
    void found_terminator() override;

    // SMTP and ESMTP commands.

    using method = void (SMTPChannel::*)(const argument& arg);
    /// The method for a command, or null.  Python: getattr(self, 'smtp_' + command, None).  A class
    /// with more commands overrides it, and says static_cast<method>(&its_class::smtp_XTRA).
    virtual method getattr(std::string_view command) const;

    virtual void smtp_HELO(const argument& arg);
    virtual void smtp_EHLO(const argument& arg);
    virtual void smtp_NOOP(const argument& arg);
    virtual void smtp_QUIT(const argument& arg);
    std::string _strip_command_keyword(std::string_view keyword, const std::string& arg);
    /// The address, empty if there is none, and what follows it.
    std::pair<std::string, std::string> _getaddr(const std::string& arg);
    std::optional<parameters> _getparams(const list& params);
    virtual void smtp_HELP(const argument& arg);
    virtual void smtp_VRFY(const argument& arg);
    virtual void smtp_MAIL(const argument& arg);
    virtual void smtp_RCPT(const argument& arg);
    virtual void smtp_RSET(const argument& arg);
    virtual void smtp_DATA(const argument& arg);
    virtual void smtp_EXPN(const argument& arg);
};

/// What came with a message.  Python: **kwargs of process_message(), empty if decode_data is set.
struct options {
    list mail_options;  // in upper case: BODY=8BITMIME, SMTPUTF8
    list rcpt_options;
};

class SMTPServer : public asyncore::dispatcher {
public:
    /// Makes a channel, which its map owns.  A class or an object may set another; for a class of
    /// channels, make_channel<its_class>.
    using factory = std::function<void(SMTPServer& server, socket_t conn, const address& addr,
                                       const keywords& given)>;
    template <class Channel>
    static void make_channel(SMTPServer& server, socket_t conn, const address& addr,
                             const keywords& given) {
        asyncore::spawn<Channel>(server, std::move(conn), addr, given);
    }
    factory channel_class = make_channel<SMTPChannel>;

    address _localaddr, _remoteaddr;
    std::int64_t data_size_limit = DATA_SIZE_DEFAULT;
    bool enable_SMTPUTF8 = false;
    bool _decode_data = false;

    /// init(...).  No overrides are called: see there.
    SMTPServer(const address& localaddr, const address& remoteaddr, const keywords& given = {});

    /// Python: __init__.  Listens.  A class that overrides create_socket(), bind(), listen() or
    /// add_channel() begins with the constructor that has no arguments, and has its own call this.
    /// Throws: std::invalid_argument if both decode_data and enable_SMTPUTF8 are set;
    ///         std::system_error.
    void init(const address& localaddr, const address& remoteaddr, const keywords& given = {});

    void handle_accepted(socket_t conn, const address& addr) override;

    /// Does something useful with a message; must be overridden.
    ///
    /// `peer` is the client's address, `mailfrom` the sender as the client says, `rcpttos` whom it
    /// is for.  `data` is the whole message, with \n at the ends of lines and without the dots that
    /// were stuffed.
    ///
    /// Returns: the reply; empty (Python: None) for "250 OK".
    virtual std::string process_message(const address& peer, const std::string& mailfrom,
                                        const list& rcpttos, const std::string& data,
                                        const options& kwargs);

protected:
    SMTPServer() = default;
};

class DebuggingServer : public SMTPServer {
public:
    DebuggingServer(const address& localaddr, const address& remoteaddr,
                    const keywords& given = {});

    void _print_message_content(const address& peer, const std::string& data);
    std::string process_message(const address& peer, const std::string& mailfrom,
                                const list& rcpttos, const std::string& data,
                                const options& kwargs) override;
};

/// Passes every message on to another server, and waits for that, as Python does: meanwhile its
/// other clients wait too.
class PureProxy : public SMTPServer {
public:
    /// Throws: std::invalid_argument also if enable_SMTPUTF8 is set.
    PureProxy(const address& localaddr, const address& remoteaddr, const keywords& given = {});

    /// Python: fails with a TypeError unless decode_data is set.  This one does not mind.
    std::string process_message(const address& peer, const std::string& mailfrom,
                                const list& rcpttos, const std::string& data,
                                const options& kwargs) override;
    smtplib::refusals _deliver(const std::string& mailfrom, const list& rcpttos,
                               const std::string& data);
};

struct Options {
    bool setuid = true;
    std::string classname = "PureProxy";
    std::int64_t size_limit = 0;
    bool enable_SMTPUTF8 = false;
    std::string localhost, remotehost;
    std::int64_t localport = 0, remoteport = 0;
};

/// Throws: asyncore::SystemExit.
Options parseargs(const list& argv);

}  // namespace smtpd
