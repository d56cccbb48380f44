// A channel with a socket.  Python: class dispatcher.
#pragma once

#include <asyncore/channel_map.hpp>
#include <asyncore/platform/socket.hpp>
#include <asyncore/spawn.hpp>

#include <cstdint>
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

/// The types of log_info() that are not printed.  Python: a frozenset.  Copies share one set.
class log_types {
public:
    log_types(std::initializer_list<std::string> types) : types_(std::make_shared<set>(types)) {}
    bool contains(std::string_view type) const { return types_->contains(type); }

private:
    using set = std::set<std::string, std::less<>>;
    std::shared_ptr<const set> types_;
};

/// A socket in a map, and the hooks that the loop calls for it.  Derive from it and override the
/// handle_... methods that you need.  An override may call the method here by its full name.
///
/// Names are Python's.  A name that ends in an underscore names something that Python does not have.
/// init() and repr() are Python's __init__ and __repr__, and default_x is its class attribute x.
///
/// The state flags are plain data, and yours to set.  Hooks run in the thread of the loop; each hook
/// may close or destroy this channel or another.
class dispatcher : public channel {
public:
    /// Class attributes: the values with which a new object starts, in the whole process.
    [[gnu::visibility("default")]] static bool default_debug;  // false
    [[gnu::visibility("default")]] static inline log_types default_ignore_log_types{"warning"};

    bool debug = default_debug;
    bool connected = false;
    bool connecting = false;
    bool closing = false;  // never set here, nor by Python: for your own use
    address addr;          // the address of the peer, or the address that was bound
    log_types ignore_log_types = default_ignore_log_types;
    socket_t socket;                            // Python: self.socket
    channel_map* _map;                          // never null
    int _fileno = -1;                           // the key in _map; Python's None is -1
    int backlog_ = 0;                           // what listen() was given
    std::pair<int, int> family_and_type{0, 0};  // what create_socket() was given

    /// No socket yet.  `map`: null means the global map.  The map must outlive the channel.
    explicit dispatcher(channel_map* map = nullptr);

    /// Calls init(sock, map).  A C++ constructor calls no overrides: a class that overrides
    /// add_channel() or set_socket() starts without a socket, and init() follows when the object is
    /// complete.
    explicit dispatcher(socket_t sock, channel_map* map = nullptr);

    dispatcher(socket_t, channel_map&) = delete;  // a map is given as a pointer: &map
    explicit dispatcher(channel_map&) = delete;   // a map is given as a pointer: &map

    /// Does what Python's __init__ does, and calls overrides as Python does: takes the socket over, makes
    /// it non-blocking, enters the map, sets `connected` and `addr`.  May be called again, to begin anew
    /// with another connection.
    void init(socket_t sock, channel_map* map = nullptr);

    ~dispatcher() override;

    /// "<class listening|connected address at 0x...>"  Differs: D20 - the class as C++ names it.
    virtual std::string repr() const;

    /// Enters the map (`map`, or else _map) under _fileno.
    virtual void add_channel(channel_map* map = nullptr);
    /// Leaves the map, and sets _fileno to -1.  Differs: D2 - removes no other channel's entry, except
    /// an entry under -1.
    virtual void del_channel(channel_map* map = nullptr);

    /// Makes a socket that does not block, and takes it over as set_socket() does.
    virtual void create_socket(int family = AF_INET, int type = SOCK_STREAM);
    /// Takes `sock` over as it is, and enters the map.  Differs: D3 - lets go of the old entry and the old
    /// socket.
    virtual void set_socket(socket_t sock, channel_map* map = nullptr);
    virtual void set_reuse_addr();

    // The predicates.  The loop asks them on every turn, unless asked_every_turn_ is false.

    bool readable() override;
    bool writable() override;

    // Socket methods.  A method that fails throws std::system_error.

    /// Differs: D34 - for IPv4 and IPv6, a number from 1 to 127 asks for the longest queue.
    virtual void listen(int num);
    virtual void bind(const address& addr);
    void bind(const auto&, auto) = delete;  // bind({host, port})
    /// Begins to connect.  handle_connect() follows, in this call or in a later turn; or handle_error(),
    /// if the connection fails later.
    /// Throws: std::system_error if the connection fails at once.  Differs: D27 - then the channel is
    ///         not connecting.
    virtual void connect(const address& address);
    void connect(const auto&, auto) = delete;  // connect({host, port})
    /// Returns: nothing if no connection waits any more.
    /// Differs: D13 - returns nothing when the process has no descriptor left, and for a connection
    ///          that failed before it was accepted.  Python throws, and so closes the listener.
    virtual std::optional<std::pair<socket_t, address>> accept();
    /// Returns: how many bytes were sent.  0 if there is no room, or if the peer is gone: then
    ///          handle_close() was called.
    virtual std::size_t send(std::string_view data);
    /// Fills `buffer`.  This is the form to override.
    /// Returns: how many bytes came.  0 at the end of file or if the peer is gone: then
    ///          handle_close() was called.  Differs: D35 - 0 for an empty datagram, too, and then
    ///          handle_close() was not called.
    /// Throws:  std::system_error.  As in Python, that is EAGAIN if there is nothing to read.
    virtual std::size_t recv(std::span<char> buffer);
    /// The same, as a string.  A class that overrides recv says `using dispatcher::recv;`.
    std::string recv(std::size_t buffer_size);
    /// Leaves the map and closes the socket.  Never destroys; may be called again.
    void close() override;

    // log() and log_info() call `log` of the map, which by default prints.  Differs: D21 - neither throws.

    /// For a line about each request that is served (in Python's words: for hits).
    virtual void log(std::string_view message);
    /// Drops the message if `ignore_log_types` names the type.
    virtual void log_info(std::string_view message, std::string_view type = "info");

    // What the loop calls.  Each of these calls a hook below.

    void handle_read_event() override;
    virtual void handle_connect_event();
    void handle_write_event() override;
    void handle_expt_event() override;
    void handle_hung_up_write_event_() override;

    // The hooks.  By default, most hooks only log that the class did not override them.

    /// Logs the exception being handled, and calls handle_close().
    /// Differs: D32 - does not call handle_close() of a listener.
    void handle_error() override;
    virtual void handle_expt();
    virtual void handle_read();
    /// Hazard: unless writable() is overridden too, the loop never waits.  With ASYNCORE_CHECK=1 this
    /// method throws a std::logic_error that says so, after 1,000 events in a row that moved no byte.
    virtual void handle_write();
    virtual void handle_connect();
    /// Accepts one connection and calls handle_accepted().  Differs: D32 - what this method throws
    /// goes to handle_error(), under both deliveries.
    virtual void handle_accept();
    /// Logs, and lets `sock` close.
    virtual void handle_accepted(socket_t sock, const address& addr);
    /// Logs, and calls close().
    void handle_close() override;
    /// recv() found the end of file.  Calls handle_close().
    virtual void handle_eof_();

    /// Has the next turn ask this channel again.  Call it after a hook of another channel edited fields
    /// of this channel by hand; see asked_every_turn_.
    void interest_changed_() { _map->interest_changed(_fileno); }
    bool reports_changes_to_(const channel_holder& map, int fd) const override;

    /// spawn() refuses a class that hides a member of this class; see hidden_members.hpp.
    template <class T>
    static consteval auto hidden_in_();

private:
    bool exact_() const noexcept { return _map->exact; }
    void serve_listener_();
    std::string describe_error_(const std::string& outcome) const;
    std::nullopt_t no_connection_(int err);
    void check_for_spin_();
    [[noreturn]] void throw_spin_() const;

    std::uint8_t failed_accepts_ = 0;  // calls of accept(2) in a row that failed
    /// The events in a row in which neither recv() nor send() moved a byte, if promises are checked.
    std::uint16_t events_in_vain_ = 0;
    static constexpr int most_events_in_vain_ = 1000;
};

template <>
inline constexpr bool predicates_follow_state<dispatcher> = true;

}  // namespace asyncore
