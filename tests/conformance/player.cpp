// Python: class Replay in replay.py, in the same order.
#include "player.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <new>
#include <system_error>
#include <typeinfo>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#ifdef __linux__
#include <linux/sockios.h>
#endif

#include "channels.hpp"

namespace replay {

namespace platform = asyncore::platform;

namespace {

// A system call on a peer failed.  Peers are plain blocking descriptors.
[[noreturn]] void fail(const char* call) { platform::throw_errno(call); }

sockaddr* generic(sockaddr_in& name) { return reinterpret_cast<sockaddr*>(&name); }

sockaddr_in any_port_of(const std::string& home) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = ::inet_addr(home.c_str());
    return name;
}

sockaddr_in name_of(int fd) {
    sockaddr_in name{};
    socklen_t length = sizeof name;
    if (::getsockname(fd, generic(name), &length) != 0) fail("getsockname");
    return name;
}

platform::unique_fd tcp_socket() {
    platform::unique_fd made(::socket(AF_INET, SOCK_STREAM, 0));
    if (made.get() < 0) fail("socket");
    return made;
}

platform::unique_fd bound_socket(sockaddr_in name) {
    platform::unique_fd made = tcp_socket();
    const int yes = 1;
    if (::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0)
        fail("setsockopt");
    if (::bind(made.get(), generic(name), sizeof name) != 0) fail("bind");
    return made;
}

platform::unique_fd tcp_listener(const std::string& home) {
    platform::unique_fd made = bound_socket(any_port_of(home));
    if (::listen(made.get(), 1) != 0) fail("listen");
    return made;
}

// A datagram socket that talks to itself.
platform::unique_fd udp_echo(const std::string& home) {
    platform::unique_fd made(::socket(AF_INET, SOCK_DGRAM, 0));
    if (made.get() < 0) fail("socket");
    sockaddr_in name = any_port_of(home);
    if (::bind(made.get(), generic(name), sizeof name) != 0) fail("bind");
    name = name_of(made.get());
    if (::connect(made.get(), generic(name), sizeof name) != 0) fail("connect");
    const timeval patience{1, 0};  // a datagram may get lost
    if (::setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        fail("setsockopt");
    return made;
}

// On one processor, loopback delivers in the order of sending.
void stay_on_this_processor() {
#ifdef __linux__
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &here);
    ::sched_setaffinity(0, sizeof here, &here);
#endif
}

// Without TCP_NODELAY the kernel may hold back a small segment until the peer's delayed
// acknowledgement, and a log would depend on the clock.
void at_once(int fd) {
    const int yes = 1;
    if (::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0) fail("setsockopt");
}

// There is one thread, so a peer that has waited this long will wait for ever.
void limit_patience(int fd) {
    const timeval patience{10, 0};
    if (::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
        fail("setsockopt");
}

// To close with a reset.
void linger_not(int fd) {
    const linger off{1, 0};
    if (::setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off) != 0) fail("setsockopt");
}

// A connected pair; the second is the peer's.
std::pair<platform::unique_fd, platform::unique_fd> connected_pair(bool tcp,
                                                                   const std::string& home) {
    platform::unique_fd mine, peer;
    if (!tcp) {
        std::array<int, 2> both{};
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, both.data()) != 0) fail("socketpair");
        mine.reset(both[0]);
        peer.reset(both[1]);
    } else {
        const platform::unique_fd door = tcp_listener(home);
        peer = tcp_socket();
        sockaddr_in name = name_of(door.get());
        if (::connect(peer.get(), generic(name), sizeof name) != 0) fail("connect");
        mine.reset(::accept(door.get(), nullptr, nullptr));
        if (mine.get() < 0) fail("accept");
        at_once(mine.get());
        at_once(peer.get());
    }
    limit_patience(peer.get());
    return {std::move(mine), std::move(peer)};
}

std::uint32_t crc32(std::string_view bytes) {
    std::uint32_t crc = 0xffffffff;
    for (const char c : bytes) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

// A size as the library holds it.
template <class Size>
Size narrow(std::size_t size) {
    return static_cast<Size>(std::min<std::size_t>(size, std::numeric_limits<Size>::max()));
}

// The producer of push_chunks.
class chunk_producer : public asynchat::producer {
public:
    chunk_producer(const std::vector<std::string>& chunks, std::function<void()> called)
        : chunks_(chunks.begin(), chunks.end()), called_(std::move(called)) {}

    std::string more() override {
        called_();
        if (chunks_.empty()) return {};
        std::string chunk = std::move(chunks_.front());
        chunks_.pop_front();
        return chunk;
    }

private:
    std::deque<std::string> chunks_;
    std::function<void()> called_;
};

// The producer of push_failing.
class failing_producer : public asynchat::producer {
public:
    std::string more() override { throw boom(); }
};

asynchat::async_chat& as_chat(asyncore::dispatcher& channel) {
    auto* const found = dynamic_cast<asynchat::async_chat*>(&channel);
    if (!found) throw no_such_method();
    return *found;
}

void initiate_send(asyncore::dispatcher& channel) {
    if (auto* const found = dynamic_cast<sender*>(&channel)) found->initiate_send();
    else as_chat(channel).initiate_send();
}

void set_terminator(asynchat::async_chat& channel, const terminator& wanted) {
    if (const auto* number = std::get_if<long long>(&wanted)) channel.set_terminator(*number);
    else if (const auto* bytes = std::get_if<std::string>(&wanted)) channel.set_terminator(*bytes);
    else channel.set_terminator(asynchat::none);
}

std::string quote_terminator(const asynchat::terminator_t& term) {
    if (term.is_none()) return "none";
    if (term.is_number()) return std::to_string(term.number());
    return quote(term.delimiter());
}

}  // namespace

std::string quote(std::string_view bytes) {
    std::array<char, 32> text{};
    if (bytes.size() > 64) {
        std::snprintf(text.data(), text.size(), "#%zu:%08x", bytes.size(), crc32(bytes));
        return text.data();
    }
    std::string quoted = "\"";
    for (const char c : bytes) {
        if (c == '\r') quoted += "\\r";
        else if (c == '\n') quoted += "\\n";
        else if (c == '\t') quoted += "\\t";
        else if (c == '\\' || c == '"') (quoted += '\\') += c;
        else if (c >= 32 && c < 127) quoted += c;
        else {
            std::snprintf(text.data(), text.size(), "\\x%02x", static_cast<unsigned char>(c));
            quoted += text.data();
        }
    }
    return quoted + '"';
}

std::string kind_of_exception() {
    try {
        throw;
    } catch (const boom&) {
        return "Boom";
    } catch (const no_such_channel&) {
        return "KeyError";
    } catch (const no_such_method&) {
        return "AttributeError";
    } catch (const asyncore::ExitNow&) {
        return "ExitNow";
    } catch (const asyncore::NotImplementedError&) {
        return "NotImplementedError";
    } catch (const platform::not_a_descriptor&) {
        return "TypeError";
    } catch (const std::invalid_argument&) {
        return "ValueError";
    } catch (const std::system_error& error) {
        return "OSError " + errno_name(error.code().value());
    } catch (const std::length_error&) {
        return "MemoryError";
    } catch (const std::bad_alloc&) {
        return "MemoryError";
    } catch (const std::exception& error) {
        return typeid(error).name();
    }
}

void player::run(const directive& line) {
    // As `self` does in Python, this keeps a channel that its own hook destroys until the hook ends.
    const auto found = channels_.find(line.name);
    auto held = found == channels_.end() ? nullptr : found->second;
    carry_out(line);
    held.reset();
    if (wide_) asyncore::socket_map.sweep();  // which destroys it, as Python does
}

void player::carry_out(const directive& line) {
    if (line.what == "listen" || line.what == "dial" || line.option("tcp", 0) != 0) join_network();
    settle();
    const std::string& what = line.what;
    if (what == "delivery")
        delivery_ = line.delivery == "poll" ? asyncore::delivery::poll : asyncore::delivery::select;
    else if (what == "listen") listen(line);
    else if (what == "knock") knock(line);
    else if (what == "dial") dial(line);
    else if (what == "feed") feed(line);
    else if (what == "urgent") urgent(line);
    else if (what == "drain") drain(line);
    else if (what == "shut") shut(line);
    else if (what == "hangup") hangup(line);
    else if (what == "reset") reset(line);
    else if (what == "turn") turn(line.count);
    else if (what == "loop") loop(line.count);
    else if (what == "do") attempt(line.name, [&] { act(line.name, line.run); });
    else if (what == "on") hooks_[{line.name, line.event}].push_back(line.run);
    else if (what == "state") attempt(line.name, [&] { state(line.name); });
    else if (what == "map") log("map " + std::to_string(asyncore::socket_map.size()));
    else if (what == "close_all") close_all();
    else if (what == "predicates") logs_predicates_ = true;
    else make_channel(line);
}

void player::join_network() {
    if (echo_.get() >= 0) return;
    stay_on_this_processor();
    echo_ = udp_echo(home_);
}

// Waits until everything that was sent over TCP has arrived.  Loopback delivers in the order of
// sending: when a datagram arrives, everything that was sent before it has arrived too.  The
// kernel's answers (SYN|ACK and ACK, or RST) are sent after it, and need one more datagram each.
void player::settle() {
    constexpr int longest_dialogue = 4;
    if (echo_.get() < 0) return;
    for (int i = 0; i < longest_dialogue; ++i) {
        char byte = 0;
        if (::send(echo_.get(), &byte, 1, 0) < 0) fail("send");
        static_cast<void>(::recv(echo_.get(), &byte, 1, 0));
    }
}

void player::leave_no_trace() {
    for (const auto& [name, channel] : channels_)
        if (channel->socket && channel->socket.family() == AF_INET)
            linger_not(channel->socket.fileno());
    for (const auto& [name, peer] : peers_)
        if (peer.get() >= 0) linger_not(peer.get());
}

void player::happened(const std::string& name, const std::string& event) {
    const auto found = hooks_.find({name, event});
    if (found == hooks_.end() || found->second.empty()) return;
    const action next = std::move(found->second.front());
    found->second.pop_front();
    act(name, next);
}

bool player::awaited(const std::string& name, const std::string& event) const {
    const auto found = hooks_.find({name, event});
    return found != hooks_.end() && !found->second.empty();
}

std::string player::accepted(const std::string& listener, platform::socket sock) {
    auto& expected = expected_[listener];
    std::string name = std::move(expected.front());
    expected.pop_front();
    at_once(sock.fileno());
    spawn_chat(name, std::move(sock));
    return name;
}

// ---------------------------------------------------------------------------
// Directives.
// ---------------------------------------------------------------------------

/// Makes a channel and keeps it under its name.  A wide channel overrides the predicates, and yet
/// keeps the promise of asked_every_turn_, unless a predicate can have an action.
template <class Kind, class WideKind, class... Arguments>
std::shared_ptr<Kind> player::spawn(const std::string& name, Arguments&&... arguments) {
    std::shared_ptr<Kind> made;
    if (wide_) {
        made = asyncore::spawn<WideKind>(*this, name, std::forward<Arguments>(arguments)...);
        made->asked_every_turn_ = logs_predicates_ || !asyncore::keeps_predicates<Kind>;
    } else made = asyncore::spawn<Kind>(*this, name, std::forward<Arguments>(arguments)...);
    channels_[name] = made;
    return made;
}

std::shared_ptr<asynchat::async_chat> player::spawn_chat(const std::string& name) {
    return spawn<chat, wide_sender<chat>>(name);
}

std::shared_ptr<asynchat::async_chat> player::spawn_chat(const std::string& name,
                                                         platform::socket sock) {
    return spawn<chat, wide_sender<chat>>(name, std::move(sock));
}

void player::make_channel(const directive& line) {
    auto [mine, peer] = connected_pair(line.option("tcp", 0) != 0, home_);
    platform::socket sock(std::move(mine));
    peers_[line.name] = std::move(peer);
    if (line.what == "chat") {
        const auto made = spawn_chat(line.name, std::move(sock));
        made->ac_in_buffer_size =
            narrow<decltype(made->ac_in_buffer_size)>(line.option("in", 4096));
        made->ac_out_buffer_size =
            narrow<decltype(made->ac_out_buffer_size)>(line.option("out", 4096));
    } else if (line.what == "raw") {
        spawn<raw, wide<raw>>(line.name, std::move(sock))->read_size = line.option("read", 64);
    } else {
        spawn<sender, wide_sender<sender>>(line.name, std::move(sock));
    }
}

void player::listen(const directive& line) {
    const auto made = spawn<listener, wide<listener>>(line.name);
    made->create_socket();
    made->set_reuse_addr();
    made->bind({home_, 0});
    addresses_[line.name] = name_of(made->socket.fileno());
    // The port stays taken when the listener closes: no other process may answer a later dial.
    others_.push_back(bound_socket(addresses_[line.name]));
    made->listen(5);
}

void player::knock(const directive& line) {
    peers_[line.name] = tcp_socket();
    const int caller = peers_[line.name].get();
    at_once(caller);
    limit_patience(caller);
    sockaddr_in name = addresses_[line.other];
    if (::connect(caller, generic(name), sizeof name) != 0) return broken(line.name);
    expected_[line.other].push_back(line.name);
}

void player::dial(const directive& line) {
    const auto made = spawn_chat(line.name);
    made->create_socket();
    at_once(made->socket.fileno());
    sockaddr_in name = any_port_of(home_);
    if (line.other.empty()) {
        // Bound and not listening: nothing can listen there while this socket is open.
        name = name_of(others_.emplace_back(bound_socket(name)).get());
    } else {
        name = addresses_[line.other];
        expected_[line.other].push_back(line.name + 'p');
    }
    attempt(line.name, [&] { made->connect({home_, ntohs(name.sin_port)}); });
}

void player::feed(const directive& line) {
    std::string_view rest = line.bytes;
    do {
        const auto sent = ::send(peer(line.name), rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0) return broken(line.name);
        rest.remove_prefix(static_cast<std::size_t>(sent));
    } while (!rest.empty());
}

void player::urgent(const directive& line) {
    if (::send(peer(line.name), line.bytes.data(), line.bytes.size(), MSG_OOB | MSG_NOSIGNAL) < 0)
        broken(line.name);
}

void player::drain(const directive& line) {
    std::string got;
    const char* end = nullptr;
    std::vector<char> buffer(65536);
    while (!end) {
        const auto count = ::recv(peer(line.name), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count > 0) got.append(buffer.data(), static_cast<std::size_t>(count));
        else if (count == 0) end = "eof";
        else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!under_way(line.name)) break;
        } else if (errno == ECONNRESET) end = "reset";
        else return broken(line.name);
    }
    log(line.name + " peer " + quote(got));
    if (end) log(line.name + " peer " + end);
}

// Whether the kernel still held bytes of the channel and delivers them now, because the peer has
// made room.  (Loopback is quick, but the kernel may wait for a timer.)
bool player::under_way(const std::string& name) {
#ifdef SIOCOUTQNSD
    const auto found = channels_.find(name);
    int unsent = 0;
    if (found == channels_.end() || !found->second->socket) return false;
    if (found->second->socket.family() != AF_INET) return false;
    if (::ioctl(found->second->socket.fileno(), SIOCOUTQNSD, &unsent) != 0 || unsent == 0)
        return false;
    pollfd wait{peer(name), POLLIN, 0};
    return ::poll(&wait, 1, 10'000) > 0;
#else
    static_cast<void>(name);
    return false;
#endif
}

void player::shut(const directive& line) {
    if (::shutdown(peer(line.name), SHUT_WR) != 0) broken(line.name);
}

void player::hangup(const directive& line) { peers_[line.name].reset(); }

void player::reset(const directive& line) {
    const linger off{1, 0};
    if (::setsockopt(peer(line.name), SOL_SOCKET, SO_LINGER, &off, sizeof off) != 0)
        return broken(line.name);
    peers_[line.name].reset();
}

void player::turn(std::size_t times) {
    const auto poll = delivery_ == asyncore::delivery::poll ? asyncore::poll2 : asyncore::poll;
    for (; times > 0; --times) {
        settle();
        log("turn");
        try {
            poll(0.0, nullptr);
        } catch (...) {
            log("turn raised " + kind_of_exception());
            return;
        }
    }
}

void player::loop(std::size_t count) {
    log("loop");
    try {
        asyncore::loop(0.0, delivery_ == asyncore::delivery::poll, nullptr,
                       static_cast<long>(count));
    } catch (...) {
        log("turn raised " + kind_of_exception());
    }
}

void player::close_all() {
    log("close_all");
    try {
        asyncore::close_all();
    } catch (...) {
        log("close_all raised " + kind_of_exception());
    }
}

template <class Call>
void player::attempt(const std::string& whose, Call call) {
    try {
        call();
    } catch (...) {
        log(whose + " raised " + kind_of_exception());
    }
}

void player::broken(const std::string& name) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS) throw stuck(name);
    log(name + " peer broken");
}

asyncore::dispatcher& player::find(const std::string& name) {
    const auto found = channels_.find(name);
    if (found == channels_.end()) throw no_such_channel();
    return *found->second;
}

int player::peer(const std::string& name) { return peers_[name].get(); }

void player::state(const std::string& name) {
    asyncore::dispatcher& channel = find(name);
    bool mapped = false;
    for (const auto& [fd, each] : asyncore::socket_map) mapped |= &each == &channel;
    std::string in = "-", fifo = "-", term = "-";
    if (const auto* a_chat = dynamic_cast<asynchat::async_chat*>(&channel)) {
        in = std::to_string(a_chat->ac_in_buffer.size());
        fifo = std::to_string(a_chat->producer_fifo.size());
        term = quote_terminator(a_chat->terminator);
    } else if (const auto* a_sender = dynamic_cast<sender*>(&channel)) {
        fifo = std::to_string(a_sender->out_buffer.size());
    }
    const auto flag = [](bool value) { return value ? "1" : "0"; };
    log(name + " state connected=" + flag(channel.connected) +
        " accepting=" + flag(channel.accepting) + " connecting=" + flag(channel.connecting) +
        " mapped=" + flag(mapped) + " in=" + in + " fifo=" + fifo + " term=" + term);
}

// ---------------------------------------------------------------------------
// Actions.
// ---------------------------------------------------------------------------

void player::nested() {
    settle();
    log("loop");
    asyncore::loop(0.0, delivery_ == asyncore::delivery::poll, nullptr, 1);
}

void player::make(const std::string& name) {
    auto [mine, peer] = connected_pair(false, home_);
    peers_[name] = std::move(peer);
    spawn_chat(name, platform::socket(std::move(mine)));
}

/// Closes the channel, and makes a chat under its descriptor.
void player::reuse(asyncore::dispatcher& channel, const std::string& name) {
    auto [mine, peer] = connected_pair(false, home_);
    peers_[name] = std::move(peer);
    const int number = channel.socket.fileno();
    channel.close();
    if (number >= 0 && !channel.socket) {
        if (::dup2(mine.get(), number) < 0) fail("dup2");
        mine.reset(number);
    }
    spawn_chat(name, platform::socket(std::move(mine)));
}

/// Takes the channel out of the map, wherever it stands there.
void player::erase(asyncore::dispatcher& channel) {
    for (const auto& [fd, each] : asyncore::socket_map.items())
        if (each.get() == &channel) asyncore::socket_map.erase(fd);
}

void player::act(const std::string& name, const action& wanted) {
    asyncore::dispatcher& channel = find(name);
    const std::string& what = wanted.what;
    if (what == "at") act(wanted.other, *wanted.inner);
    else if (what == "push") as_chat(channel).push(wanted.bytes());
    else if (what == "push_simple")
        as_chat(channel).push_with_producer(
            asynchat::simple_producer(wanted.bytes(), wanted.number));
    else if (what == "push_chunks")
        as_chat(channel).push_with_producer(chunk_producer(wanted.chunks, [this, name] {
            if (!wide_) return;
            log(name + " more()");
            happened(name, "before_more");
        }));
    else if (what == "push_bytes") as_chat(channel).push_with_producer(wanted.bytes());
    else if (what == "push_failing") as_chat(channel).push_with_producer(failing_producer());
    else if (what == "send") {
        const auto count = channel.send(wanted.bytes());
        const bool silent = dynamic_cast<sender*>(&channel) != nullptr;
        log(name + " sent " + (silent ? "-" : std::to_string(count)));
    } else if (what == "recv") log(name + " got " + quote(channel.recv(wanted.number)));
    else if (what == "set_terminator") set_terminator(as_chat(channel), wanted.term);
    else if (what == "close_when_done") as_chat(channel).close_when_done();
    else if (what == "discard_buffers") as_chat(channel).discard_buffers();
    else if (what == "close") channel.close();
    else if (what == "initiate_send") initiate_send(channel);
    else if (what == "handle_read") channel.handle_read();
    else if (what == "handle_close") channel.handle_close();
    else if (what == "del_channel") channel.del_channel();
    else if (what == "add_channel") channel.add_channel();
    else if (what == "raise") throw boom();
    else if (what == "raise_os") throw std::system_error(wanted.error, std::generic_category());
    else if (what == "exit_now") throw asyncore::ExitNow();
    else if (what == "planted") {
        log(name + " planted");
        act(name, *wanted.inner);
    } else if (what == "raise_value") throw std::invalid_argument("on purpose");
    else if (what == "nested") nested();
    else if (what == "make") make(wanted.other);
    else if (what == "reuse") reuse(channel, wanted.other);
    else if (what == "erase") erase(channel);
    else if (what == "destroy") {
        erase(channel);
        channels_.erase(name);
    } else if (what == "replace") {
        if (channel._fileno >= 0) asyncore::socket_map[channel._fileno] = find(wanted.other);
    } else if (what == "clear") asyncore::socket_map.clear();
    else if (what == "close_all") asyncore::close_all();
}

}  // namespace replay
