// Python: Lib/asyncore.py, class dispatcher.  What a hardened map does beyond Python is in hardening.cpp.
#include <asyncore/dispatcher.hpp>

#include <asyncore/errors.hpp>
#include <asyncore/platform/descriptor.hpp>
#include <asyncore/platform/descriptor_reserve.hpp>

#include <cstdint>
#include <sstream>
#include <typeinfo>

namespace asyncore {

using platform::would_block;

constinit bool dispatcher::default_debug = false;

dispatcher::dispatcher(channel_map* map) : _map(&map_or_default(map)) { use_stream_of_(socket); }

dispatcher::dispatcher(socket_t sock, channel_map* map) : dispatcher(map) {
    init(std::move(sock), map);
}

void dispatcher::init(socket_t sock, channel_map* map) {
    // As in set_socket(), the same descriptor in the same map keeps its entry and its place.
    if (_fileno >= 0 && (_fileno != sock.fileno() || _map != &map_or_default(map)))
        dispatcher::del_channel();
    _map = &map_or_default(map);
    socket = socket_t();
    if (!sock) return;
    // The socket may have been blocking where it comes from.
    sock.setblocking(false);
    set_socket(std::move(sock), map);
    connected = true;
    // The socket need not be connected.
    try {
        addr = socket.getpeername();
    } catch (const std::system_error& err) {
        if (err.code().value() != ENOTCONN && err.code().value() != EINVAL) {
            // The socket is broken in some unknown way, so no loop must watch it.
            del_channel(map);
            throw;
        }
        connected = false;
    }
}

dispatcher::~dispatcher() {
    // The channel leaves the maps while its descriptor is still open; see poller::watch().
    leave_maps_();
}

std::string dispatcher::repr() const {
    std::ostringstream out;
    out << '<' << type_name(typeid(*this));
    if (accepting && addr && addr != address("")) out << " listening";
    else if (connected) out << " connected";
    if (addr) out << ' ' << addr.repr();
    out << " at " << static_cast<const void*>(this) << '>';
    return out.str();
}

void dispatcher::add_channel(channel_map* map) { (map ? map : _map)->set(_fileno, *this); }

void dispatcher::del_channel(channel_map* map) {
    auto& from = map ? *map : *_map;
    // As in Python, the entry under None (-1) goes even if it is another channel's.
    if (_fileno < 0 || from.get(_fileno) == this) from.erase(_fileno);
    _fileno = -1;
}

void dispatcher::create_socket(int family, int type) {
    family_and_type = {family, type};
    set_socket(socket_t(family, type));
}

void dispatcher::set_socket(socket_t sock, channel_map* map) {
    if (_fileno >= 0 && _fileno != sock.fileno()) {
        if (map && map->get(_fileno) == this) map->erase(_fileno);
        dispatcher::del_channel();
    }
    socket = std::move(sock);
    _fileno = socket.fileno();
    add_channel(map);
}

void dispatcher::set_reuse_addr() {
    try {
        socket.setsockopt(SOL_SOCKET, SO_REUSEADDR,
                          socket.getsockopt(SOL_SOCKET, SO_REUSEADDR) | 1);
    } catch (const std::system_error&) {
        // As in Python, a system without the option is no error.
    }
}

bool dispatcher::readable() { return true; }
bool dispatcher::writable() { return true; }

void dispatcher::listen(int num) {
    accepting = true;
    interest_changed_();
    backlog_ = num;
    platform::reserve_descriptor();
    const bool is_ip = !exact_() && socket.family() != AF_UNIX;
    socket.listen(is_ip && 0 < num && num < 128 ? SOMAXCONN : num);
}

void dispatcher::bind(const address& name) {
    addr = name;
    socket.bind(name);
}

void dispatcher::connect(const address& name) {
    connected = false;
    connecting = false;
    interest_changed_();
    const int err = socket.connect_ex(name);
    // For a Unix socket EWOULDBLOCK means that the listener has no room: the attempt is over.
    const bool in_progress =
        err == EINPROGRESS || err == EALREADY || (err == EWOULDBLOCK && !name.is_unix());
    if (!in_progress && err != 0 && err != EISCONN)
        throw platform::os_error(err, "connect to " + name.repr());
    connecting = true;
    addr = name;
    if (!in_progress) handle_connect_event();
}

std::optional<std::pair<socket_t, address>> dispatcher::accept() {
    if (!exact_())
        platform::reserve_descriptor();  // listen() of this class may not have been called
    int err = 0;
    auto pair = socket.accept(err);
    if (err == 0 && !exact_() && !_map->can_watch(pair.first.fileno())) err = ERANGE;
    if (err == 0) {
        failed_accepts_ = 0;
        return pair;
    }
    if (!exact_()) return no_connection_(err);
    if (would_block(err) || err == ECONNABORTED) return std::nullopt;
    throw platform::os_error(err, "accept");
}

// When the peer is gone, handle_close() runs inside the catch block: an override may look at the
// exception there, as with Python's sys.exc_info().

std::size_t dispatcher::send(std::string_view data) {
    try {
        const auto [count, err] = socket.send(data);
        if (would_block(err)) return 0;
        if (err != 0) throw platform::os_error(err, "send");
        events_in_vain_ = 0;
        return count;
    } catch (const std::system_error& error) {
        const int err = error.code().value();
        if (would_block(err)) return 0;
        if (!_DISCONNECTED.contains(err)) throw;
        handle_close();
        return 0;
    }
}

std::size_t dispatcher::recv(std::span<char> buffer) {
    const alive still_here(*this);
    try {
        const auto [count, err] = socket.recv(buffer);
        if (would_block(err) && socket.layer() && socket.layer()->guessed()) return 0;
        if (err != 0) throw platform::os_error(err, "recv");
        if (count > 0) events_in_vain_ = 0;
        // A closed connection is readable and has no data.  As in Python, this call stands in the try
        // block: if handle_close() itself throws the error of a lost peer, it is called again.
        if (count == 0 && (exact_() || !platform::is_datagram(socket.fileno()))) handle_eof_();
        return count;
    } catch (const std::system_error& error) {
        if (!still_here || !_DISCONNECTED.contains(error.code().value())) throw;
        handle_close();
        return 0;
    }
}

std::string dispatcher::recv(std::size_t buffer_size) {
    std::string data(buffer_size, '\0');
    data.resize(recv(std::span(data)));
    return data;
}

void dispatcher::close() {
    connected = false;
    accepting = false;
    connecting = false;
    del_channel();
    // close() of a socket never fails; close() of a stream may.
    try {
        socket.close();
    } catch (const std::system_error& why) {
        if (why.code().value() == ENOTCONN || why.code().value() == EBADF) return;
        if (exact_()) throw;  // Differs: D36
        log_info(std::string("close: ") + why.what(), "error");
    }
}

void dispatcher::log(std::string_view message) { _map->log_info(message, "log"); }

void dispatcher::log_info(std::string_view message, std::string_view type) {
    if (ignore_log_types.contains(type)) return;
    _map->log_info(message, type);
}

void dispatcher::handle_read_event() {
    if (accepting) return serve_listener_();  // a listener is never connected itself
    const alive still_here(*this);
    if (!connected && connecting) handle_connect_event();
    if (still_here) handle_read();
    if (still_here && _map->check_promises) check_for_spin_();
}

void dispatcher::handle_connect_event() {
    // The event says that the attempt has ended, and not how.  The kernel tells that in SO_ERROR, once.
    const int err = socket.getsockopt(SOL_SOCKET, SO_ERROR);
    if (err != 0) throw platform::os_error(err, "connect to " + addr.repr());
    const alive still_here(*this);
    handle_connect();
    if (!still_here) return;
    connected = true;
    connecting = false;
    interest_changed_();
}

void dispatcher::handle_write_event() {
    if (accepting) return;  // a listener has nothing to write
    const alive still_here(*this);
    if (!connected && connecting) handle_connect_event();
    if (still_here) handle_write();
    if (still_here && _map->check_promises) check_for_spin_();
}

void dispatcher::handle_expt_event() {
    // The event is an error, or out-of-band data.  An error closes the channel, as the end of file does.
    const int err = socket.getsockopt(SOL_SOCKET, SO_ERROR);
    if (err != 0) handle_close();
    else handle_expt();
}

void dispatcher::handle_error() {
    const alive still_here(*this);
    const bool stays = accepting && !exact_() && platform::is_listener(_fileno);
    std::string line;
    try {
        line = describe_error_(stays ? "keeping listener" : "closing channel");
    } catch (const std::bad_alloc&) {
        line = "out of memory";  // short enough for a string that needs no memory
    }
    log_info(line, "error");
    if (still_here && !stays) handle_close();
}

std::string dispatcher::describe_error_(const std::string& outcome) const {
    const auto [nil, t, v, tbinfo] = compact_traceback();
    std::string self_repr;
    try {
        self_repr = repr();
    } catch (...) {
        if (_reraised_exception()) throw;
        std::ostringstream out;
        out << "<repr() failed for object at " << std::hex << reinterpret_cast<std::uintptr_t>(this)
            << '>';
        self_repr = out.str();
    }
    return "uncaptured exception, " + outcome + " " + self_repr + " (" + t + ":" + v + " " +
           tbinfo + ")";
}

void dispatcher::handle_expt() { log_info("unhandled incoming priority event", "warning"); }
void dispatcher::handle_read() { log_info("unhandled read event", "warning"); }
void dispatcher::handle_write() {
    log_info("unhandled write event", "warning");
    if (events_in_vain_ == most_events_in_vain_ - 1) throw_spin_();
}
void dispatcher::handle_connect() { log_info("unhandled connect event", "warning"); }

void dispatcher::handle_accept() {
    if (auto pair = accept()) handle_accepted(std::move(pair->first), pair->second);
}

void dispatcher::handle_accepted(socket_t sock, const address&) {
    sock.close();
    log_info("unhandled accepted event", "warning");
}

void dispatcher::handle_eof_() { handle_close(); }

void dispatcher::handle_close() {
    const alive still_here(*this);
    log_info("unhandled close event", "warning");
    if (still_here) close();
}

bool dispatcher::reports_changes_to_(const channel_holder& map, int fd) const {
    return &map == _map && fd == _fileno;
}

}  // namespace asyncore
