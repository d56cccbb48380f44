// A channel with a socket.  Python: class dispatcher.
#pragma once

#include <asyncore/channel_map.hpp>
#include <asyncore/platform/socket.hpp>

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace asyncore {

using platform::address;
/// Python: socket.socket.  In a dispatcher the name `socket` is the attribute.
using socket_t = platform::socket;

/// The types of log_info() that are not printed.  Python: a frozenset.
class log_types {
public:
    log_types(std::initializer_list<std::string> types) : types_(&kept({types})) {}
    bool contains(std::string_view type) const { return types_->contains(type); }

private:
    using set = std::set<std::string, std::less<>>;
    /// The one set that has these elements.  There are few, and they live as long as the process,
    /// so that a channel pays for a pointer.
    static const set& kept(const set& types);
    const set* types_;
};

/// A socket in a map, and the hooks that the loop calls for it.  Derive from it and override the
/// handle_... you need; every method may be overridden, and the one here called by its full name.
///
/// The state flags are plain data, and yours to set.  Hooks run in the thread of the loop; any of
/// them may close or destroy this channel or another.
class dispatcher : public channel {
public:
    /// Class attributes: what a new object starts with.  For the whole process.
    [[gnu::visibility("default")]] static inline bool default_debug = false;
    [[gnu::visibility("default")]] static inline log_types default_ignore_log_types{"warning"};

    bool debug = default_debug;
    bool connected = false;
    bool connecting = false;
    bool closing = false;  // never set here, nor by Python: for your own use
    address addr;          // the peer's, or what was bound
    log_types ignore_log_types = default_ignore_log_types;
    socket_t socket;    // Python: self.socket
    channel_map* _map;  // never null
    int _fileno = -1;   // the key in _map; Python's None is -1
    std::pair<int, int> family_and_type{0, 0};

    /// No socket yet.  `map`: null is the global one.
    explicit dispatcher(channel_map* map = nullptr);

    /// init(sock, map).  A C++ constructor calls no overrides: a class that overrides
    /// add_channel() or set_socket() starts empty, and has init() called when it is complete.
    explicit dispatcher(socket_t sock, channel_map* map = nullptr);

    /// What Python's __init__ does, overrides included: takes the socket over, non-blocking, enters
    /// the map, sets `connected` and `addr`.  Can be called again to begin anew.
    void init(socket_t sock, channel_map* map = nullptr);

    ~dispatcher() override;

    /// "<class listening|connected address at 0x...>"
    virtual std::string repr() const;

    /// Enters the map (`map`, or else _map) under _fileno.
    virtual void add_channel(channel_map* map = nullptr);
    /// Leaves it, and sets _fileno to -1.  Differs: D2 - removes no other channel's entry.
    virtual void del_channel(channel_map* map = nullptr);

    virtual void create_socket(int family = AF_INET, int type = SOCK_STREAM);
    /// Takes `sock` as it is.  Differs: D3 - the entry and the socket that it replaces go.
    virtual void set_socket(socket_t sock, channel_map* map = nullptr);
    virtual void set_reuse_addr();

    // Asked on every turn, unless asked_every_turn_ is false.

    bool readable() override;
    bool writable() override;

    // Socket methods.  Those that fail throw std::system_error.

    virtual void listen(int num);
    virtual void bind(const address& addr);
    /// Ends in handle_connect(), at once or later, or in handle_error().
    /// Differs: D27 - if it throws, the channel is not connecting.
    virtual void connect(const address& address);
    /// Returns: nothing if nobody waits any more.
    /// Differs: D13 - when the process has no descriptor left, drops the one who waits, and of one
    ///          that came to nothing says nothing; Python throws, and so closes the listener.
    virtual std::optional<std::pair<socket_t, address>> accept();
    /// Returns: how many bytes were sent.  0 if there is no room, or if the peer is gone: then
    ///          handle_close() was called.
    virtual std::size_t send(std::string_view data);
    /// Fills `buffer`; the form to override.
    /// Returns: how many bytes came.  0 at the end of file or if the peer is gone: then
    ///          handle_close() was called.
    /// Throws:  also if there is nothing to read (EAGAIN), as in Python.
    virtual std::size_t recv(std::span<char> buffer);
    /// The same, as bytes.  A class that overrides recv says `using dispatcher::recv;`.
    std::string recv(std::size_t buffer_size);
    /// Leaves the map and closes the socket.  Never destroys; may be called again.
    void close() override;

    /// To standard error, for hits.
    virtual void log(std::string_view message);
    /// To standard output, for what `ignore_log_types` does not name.  Neither ever throws.
    virtual void log_info(std::string_view message, std::string_view type = "info");

    // What the loop calls; each calls a handle_... below.

    void handle_read_event() override;
    virtual void handle_connect_event();
    void handle_write_event() override;
    void handle_expt_event() override;

    // The hooks.  What they do by default is to log that they were not overridden.

    /// Logs the exception being handled, and calls handle_close().
    void handle_error() override;
    virtual void handle_expt();
    virtual void handle_read();
    virtual void handle_write();
    virtual void handle_connect();
    /// Accepts one connection and calls handle_accepted().
    virtual void handle_accept();
    /// Logs, and lets `sock` close.
    virtual void handle_accepted(socket_t sock, const address& addr);
    /// Logs, and calls close().
    void handle_close() override;

    /// Has this channel asked again on the next turn; needed only after editing another channel's
    /// fields by hand in a hook.  See asked_every_turn_.
    void interest_changed();

private:
    bool reports_changes_to(const channel_map& map, int fd) const override;
};

template <>
inline constexpr bool predicates_follow_state<dispatcher> = true;

}  // namespace asyncore
