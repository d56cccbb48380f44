// Python: Lib/smtpd.py of 3.11, with its classes in their order.
//
// This is an SMTP server: RFC 5321, with SIZE of RFC 1870 and SMTPUTF8 of RFC 6531.  Derive from
// SMTPServer and override process_message(); DebuggingServer and PureProxy show how.
//
// smtpd_channel.cpp and smtpd_commands.cpp define SMTPChannel; smtpd_servers.cpp defines the
// servers; smtpd.cpp defines the rest.
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

/// Debugging messages go to DEBUGSTREAM, which is Devnull unless the program has the option -d.
extern std::ostream Devnull;
extern std::ostream* DEBUGSTREAM;
inline constexpr std::string_view NEWLINE = "\n";
inline constexpr std::string_view COMMASPACE = ", ";
inline constexpr std::int64_t DATA_SIZE_DEFAULT = 33554432;

/// Prints how to start the program, and `msg`, to standard error.
/// Throws: asyncore::SystemExit.
[[noreturn]] void usage(int code, const std::string& msg = "");

/// The keyword arguments of SMTPChannel and SMTPServer, with Python's defaults.  A limit of 0 is
/// Python's None.
struct keywords {
    std::int64_t data_size_limit = DATA_SIZE_DEFAULT;
    asyncore::channel_map* map = nullptr;
    bool enable_SMTPUTF8 = false;
    bool decode_data = false;

    /// Throws: std::invalid_argument if both decode_data and enable_SMTPUTF8 are set.
    void check_() const;
};

/// The argument of a command.  It is nothing (Python: None) if the command ends without a space.
using argument = std::optional<std::string>;
/// Python: a dict, where a parameter without a value has the value True.  Here it has nothing.
using parameters = std::map<std::string, std::optional<std::string>, std::less<>>;

class SMTPServer;

class SMTPChannel : public asynchat::async_chat {
public:
    static constexpr int COMMAND = 0;
    static constexpr int DATA = 1;

    std::int64_t command_size_limit = 512;
    /// The limits by command.  As in Python, all channels of the process share them, and each new
    /// channel clears them.  Python: a defaultdict, which keeps each key that it was asked for.
    struct limit_of_512 {
        std::int64_t value = 512;
        operator std::int64_t() const { return value; }
        void operator+=(std::int64_t more) { value += more; }
    };
    using size_limits = std::map<std::string, limit_of_512>;
    static inline size_limits command_size_limits;
    virtual std::int64_t max_command_size_limit() const;

    SMTPServer* smtp_server;  // never null; the server must live longer than its channels
    socket_t& conn = socket;
    std::int64_t data_size_limit;
    bool enable_SMTPUTF8;
    bool _decode_data;
    static constexpr std::string_view _emptystring = "";
    static constexpr std::string_view _linesep = "\r\n";
    static constexpr char _dotsep = '.';
    static constexpr std::string_view _newline = NEWLINE;

    int smtp_state = COMMAND;
    std::string mailfrom;  // empty: None
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

    // These names are deprecated.  Python warns when a program uses such a name, C++ when the
    // program is compiled.  In Python they begin with two underscores, which C++ reserves; here
    // they begin with a single underscore.
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
    /// Throws: py::UnicodeError if it is not ASCII and the client did not ask for SMTPUTF8.
    void push(std::string_view msg) override;
    void collect_incoming_data(std::string_view data) override;
    void found_terminator() override;

    // SMTP and ESMTP commands.

    using method = void (SMTPChannel::*)(const argument& arg);
    /// The method for a command, or null.  A class that adds a command overrides getattr(), and
    /// returns static_cast<method>(&its_class::smtp_XTRA) for it.
    /// Python: getattr(self, 'smtp_' + command, None).
    virtual method getattr(std::string_view command) const;

    virtual void smtp_HELO(const argument& arg);
    virtual void smtp_EHLO(const argument& arg);
    virtual void smtp_NOOP(const argument& arg);
    virtual void smtp_QUIT(const argument& arg);
    std::string _strip_command_keyword(std::string_view keyword, const std::string& arg);
    /// Returns: the address, which is empty if there is none, and the text behind it.
    virtual std::pair<std::string, std::string> _getaddr(const std::string& arg);
    /// Returns: nothing if the parameters are not well-formed.
    std::optional<parameters> _getparams(const list& params);
    virtual void smtp_HELP(const argument& arg);
    virtual void smtp_VRFY(const argument& arg);
    virtual void smtp_MAIL(const argument& arg);
    virtual void smtp_RCPT(const argument& arg);
    virtual void smtp_RSET(const argument& arg);
    virtual void smtp_DATA(const argument& arg);
    virtual void smtp_EXPN(const argument& arg);

protected:
    /// Python: self.command_size_limits.  An object may have a dict of its own, which hides the one
    /// of the class.
    size_limits* limits_ = &command_size_limits;

private:
    void found_command_(const std::string& line);
    void found_message_(const std::string& line);
    std::string with_parameters_(const std::string& syntax) const;
    /// Returns: the reply that refuses the parameters, or nothing.
    std::string take_mail_parameters_(parameters params, const std::string& syntaxerr);
};

/// Python: **kwargs of process_message().  Both lists are empty if decode_data is set.
struct options {
    list mail_options;  // in upper case, as BODY=8BITMIME and SMTPUTF8
    list rcpt_options;
};

class SMTPServer : public asyncore::dispatcher {
public:
    /// Makes a channel, which its map owns.  A server with channels of another class sets
    /// channel_class to make_channel<that_class>.
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

    /// Calls init().  Like every C++ constructor, it calls no overrides; see init().
    SMTPServer(const address& localaddr, const address& remoteaddr, const keywords& given = {});

    /// Listens.  Python: __init__.  A class that overrides create_socket(), bind(), listen() or
    /// add_channel() uses the constructor without arguments, and calls init() in its own
    /// constructor.
    /// Throws: std::invalid_argument if both decode_data and enable_SMTPUTF8 are set;
    ///         std::system_error.
    void init(const address& localaddr, const address& remoteaddr, const keywords& given = {});

    void handle_accepted(socket_t conn, const address& addr) override;

    /// Does something useful with a message.  A derived class must override it.
    ///
    /// `peer` is the client's address, `mailfrom` the sender that the client names, `rcpttos` the
    /// recipients.  `data` is the whole message.  Its lines end in \n, and the dots that the client
    /// put before some lines are gone.
    ///
    /// Returns: the reply.  Empty text (Python: None) stands for "250 OK".
    virtual std::string process_message(const address& peer, const std::string& mailfrom,
                                        const list& rcpttos, const std::string& data,
                                        const options& kwargs);

protected:
    SMTPServer() = default;

private:
    void print_started_() const;
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

/// Passes every message on to another server.  As in Python, all clients of the proxy wait until
/// the other server has replied.
class PureProxy : public SMTPServer {
public:
    /// How long the other server may take for a reply.  RFC 5321, section 4.5.3.2, asks for five
    /// minutes.  Python: without a limit, unless the program calls socket.setdefaulttimeout().
    asyncore::platform::timeout timeout = 300.0;

    /// Throws: as SMTPServer; std::invalid_argument if enable_SMTPUTF8 is set.
    PureProxy(const address& localaddr, const address& remoteaddr, const keywords& given = {});

    /// Python: raises a TypeError unless decode_data is set.  This method works without it too.
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
