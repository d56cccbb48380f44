// platform/socket.hpp: what each operation does, and what it says when it cannot.
#include "support.hpp"

#include <asyncore/platform/error.hpp>
#include <asyncore/platform/socket.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using namespace std::chrono_literals;
using namespace std::string_literals;
using socket_t = asyncore::platform::socket;
using support::HOST;
using support::tcp_pair;

namespace {

bool has_flag(int fd, int get, int flag) { return (::fcntl(fd, get) & flag) != 0; }

/// Non-blocking and close-on-exec, as all of ours are.
bool is_ours(const socket_t& sock) {
    return has_flag(sock.fileno(), F_GETFD, FD_CLOEXEC) &&
           has_flag(sock.fileno(), F_GETFL, O_NONBLOCK);
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

/// The errno that `call` throws; 0 if it throws none.
int error_of(const std::function<void()>& call) {
    try {
        call();
        return 0;
    } catch (const std::system_error& error) {
        CHECK(error.code().category() == std::generic_category());
        return error.code().value();
    }
}

socket_t listener(int family, const address& name, int backlog = 5) {
    socket_t sock(family, SOCK_STREAM);
    sock.bind(name);
    sock.listen(backlog);
    return sock;
}
socket_t listener() { return listener(AF_INET, {HOST, 0}); }

/// A client that has connected.
socket_t client_of(const socket_t& server) {
    auto client = support::blocking(socket_t(server.family(), SOCK_STREAM));
    REQUIRE(client.connect_ex(server.getsockname()) == 0);
    client.setblocking(false);
    return client;
}

/// An address of this machine where nobody listens.  `holder` keeps it so.
address nobody(socket_t& holder) {
    holder = socket_t(AF_INET, SOCK_STREAM);
    holder.bind({HOST, 0});
    return holder.getsockname();
}

std::string received(socket_t& sock, int flags = 0) {
    REQUIRE(support::wait_readable(sock.fileno(), 30s));
    std::string data(1000, '\0');
    const auto got = sock.recv(data, flags);
    CHECK(got.error == 0);
    data.resize(got.count);
    return data;
}

void reset(socket_t& sock) {
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(sock.fileno(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    sock.close();
}

bool has_error(int fd) {
    pollfd asked{fd, 0, 0};
    return ::poll(&asked, 1, 30000) == 1 && (asked.revents & POLLERR) != 0;
}

volatile std::sig_atomic_t alarms_to_go = 0;
int end_to_use = -1;
address::kernel_form place_to_go;

/// Signal handlers that do something the fifth time.
void write_at_last(int) {
    const int error = errno;
    alarms_to_go = alarms_to_go - 1;
    if (alarms_to_go == 0) static_cast<void>(!::write(end_to_use, "x", 1));
    errno = error;
}
void read_at_last(int) {
    const int error = errno;
    alarms_to_go = alarms_to_go - 1;
    static char room[1 << 16];
    if (alarms_to_go == 0)
        while (::read(end_to_use, room, sizeof room) > 0) {
        }
    errno = error;
}
void connect_at_last(int) {
    const int error = errno;
    alarms_to_go = alarms_to_go - 1;
    const auto* name = reinterpret_cast<const sockaddr*>(&place_to_go.name);
    if (alarms_to_go == 0) static_cast<void>(::connect(end_to_use, name, place_to_go.length));
    errno = error;
}

}  // namespace

TEST_SUITE("every socket is non-blocking and close-on-exec") {
    TEST_CASE("made") {
        for (const int family : {AF_INET, AF_INET6, AF_UNIX})
            for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
                if (family == AF_INET6 && !support::IPV6_ENABLED()) continue;
                const socket_t sock(family, type);
                CHECK(is_ours(sock));
                CHECK(sock.family() == family);
            }
    }

    TEST_CASE("one of a pair") {
        for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
            auto [a, b] = socket_t::pair(type);
            CHECK(is_ours(a));
            CHECK(is_ours(b));
            CHECK(a.getsockopt(SOL_SOCKET, SO_TYPE) == type);
        }
    }

    TEST_CASE("accepted") {
        auto server = listener();
        const auto client = client_of(server);
        int error = -1;
        const auto accepted = server.accept(error).first;
        CHECK(error == 0);
        CHECK(is_ours(accepted));
    }

    TEST_CASE("taken over") {
        int fds[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
        const socket_t a{unique_fd(fds[0])}, b{unique_fd(fds[1])};
        CHECK(a.fileno() == fds[0]);
        CHECK(is_ours(a));
        CHECK(is_ours(b));
        CHECK(error_of([] { socket_t{unique_fd()}; }) == EBADF);
    }

    TEST_CASE("until it is told to block") {
        auto [a, b] = socket_t::pair();
        a.setblocking(true);
        CHECK(!has_flag(a.fileno(), F_GETFL, O_NONBLOCK));
        CHECK(is_ours(b));
        a.setblocking(false);
        CHECK(is_ours(a));
        CHECK(error_of([] { set_blocking(-1, false); }) == EBADF);
        const support::TempDir folder;
        const unique_fd file(::open((folder / "f").c_str(), O_CREAT | O_RDWR | O_APPEND, 0600));
        for (const bool blocking : {false, true}) {
            set_blocking(file.get(), blocking);
            CHECK(has_flag(file.get(), F_GETFL, O_APPEND));  // no other flag changes
        }
    }
}

TEST_SUITE("an owner") {
    TEST_CASE("an empty one fails with EBADF, whatever it is asked") {
        socket_t gone(AF_INET, SOCK_STREAM);
        gone.close();
        gone.close();
        CHECK(!gone);
        CHECK(gone.fileno() == -1);
        CHECK(gone.layer() == nullptr);
        const address name(HOST, 1);
        char byte = 0;
        address from;
        int error = 0;
        CHECK(error_of([&] { gone.bind(name); }) == EBADF);
        CHECK(error_of([&] { gone.listen(1); }) == EBADF);
        CHECK(!gone.accept(error).first);
        CHECK(error == EBADF);
        CHECK(gone.connect_ex(name) == EBADF);
        CHECK(gone.recv({&byte, 1}).error == EBADF);
        CHECK(gone.send("x").error == EBADF);
        CHECK(gone.recvfrom({&byte, 1}, from).error == EBADF);
        CHECK(gone.sendto("x", name).error == EBADF);
        CHECK(error_of([&] { gone.shutdown(SHUT_RDWR); }) == EBADF);
        CHECK(error_of([&] { gone.getsockopt(SOL_SOCKET, SO_ERROR); }) == EBADF);
        CHECK(error_of([&] { gone.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1); }) == EBADF);
        CHECK(error_of([&] { gone.getsockname(); }) == EBADF);
        CHECK(error_of([&] { gone.getpeername(); }) == EBADF);
        CHECK(error_of([&] { gone.family(); }) == EBADF);
        CHECK(error_of([&] { gone.setblocking(true); }) == EBADF);
        CHECK(gone.detach().get() == -1);
    }

    TEST_CASE("moves, closes, and gives away") {
        auto [a, b] = socket_t::pair();
        const int number = a.fileno(), other = b.fileno();
        CHECK(a);
        auto moved = std::move(a);
        CHECK(!a);  // NOLINT: that is what is tested
        CHECK(moved.fileno() == number);
        moved = std::move(b);
        CHECK(!is_open(number));
        CHECK(moved.fileno() == other);
        {
            const auto fd = moved.detach();
            CHECK(!moved);
            CHECK(fd.get() == other);
        }
        CHECK(!is_open(other));
    }

    TEST_CASE("what cannot be made throws") {
        CHECK(error_of([] { socket_t(AF_INET, 12345); }) != 0);
        CHECK(error_of([] { socket_t(12345, SOCK_STREAM); }) == EAFNOSUPPORT);
        CHECK(error_of([] { socket_t::pair(12345); }) != 0);
    }
}

TEST_SUITE("connections") {
    TEST_CASE("over every family") {
        const support::TempDir folder;
        std::vector<std::pair<int, address>> names = {{AF_INET, {HOST, 0}},
                                                      {AF_UNIX, {folder / "socket"}}};
        if (support::IPV6_ENABLED()) names.push_back({AF_INET6, {"::1", 0}});
#ifdef __linux__
        names.push_back({AF_UNIX, {""}});  // the kernel chooses an abstract name
#endif
        for (const auto& each : names) {
            const int family = each.first;
            CAPTURE(each.second.repr());
            auto server = listener(family, each.second);
            auto client = client_of(server);
            int error = -1;
            auto [accepted, from] = server.accept(error);
            REQUIRE(error == 0);
            CHECK(from == client.getsockname());
            CHECK(from == accepted.getpeername());
            CHECK(client.getpeername() == server.getsockname());
            CHECK(accepted.getsockname() == server.getsockname());
            CHECK(client.family() == family);
            client.send("ping");
            CHECK(received(accepted) == "ping");
            accepted.send("pong");
            CHECK(received(client) == "pong");
            accepted.close();
            CHECK(received(client).empty());
        }
    }

    TEST_CASE("names") {
        const support::TempDir folder;
        const auto server = listener();
        CHECK(server.getsockname().host() == HOST);
        CHECK(server.getsockname().port() != 0);
        CHECK(listener(AF_UNIX, {folder / "s"}).getsockname().path() == folder / "s");
        CHECK(socket_t(AF_UNIX, SOCK_STREAM).getsockname().repr() == "''");
        CHECK(socket_t(AF_INET, SOCK_STREAM).getsockname().repr() == "0.0.0.0:0");
        CHECK(error_of([&] { server.getpeername(); }) == ENOTCONN);
#ifdef __linux__
        CHECK(listener(AF_UNIX, {""}).getsockname().path().size() == 6);  // "\0" and five digits
#endif
    }

    TEST_CASE("nobody waits to be accepted") {
        auto server = listener();
        int error = 0;
        const auto [sock, from] = server.accept(error);
        CHECK(error == EAGAIN);
        CHECK(!sock);
        CHECK(!from);
    }

    TEST_CASE("what does not listen cannot accept") {
        int error = 0;
        CHECK(!socket_t(AF_INET, SOCK_STREAM).accept(error).first);
        CHECK(error == EINVAL);
        CHECK(!socket_t(AF_INET, SOCK_DGRAM).accept(error).first);
        CHECK(error == EOPNOTSUPP);
        CHECK(error_of([] { socket_t(AF_INET, SOCK_DGRAM).listen(1); }) == EOPNOTSUPP);
    }

    TEST_CASE("a peer that reset the connection before it was accepted") {
        auto server = listener();
        auto client = client_of(server);
        const auto name = client.getsockname();
        reset(client);
        int error = -1;
        auto [accepted, from] = server.accept(error);
        if (error != 0) {  // the BSDs
            CHECK(error == ECONNABORTED);
            return;
        }
        CHECK(from == name);
        CHECK(has_error(accepted.fileno()));
        char byte = 0;
        CHECK(accepted.recv({&byte, 1}).error == ECONNRESET);
        CHECK(error_of([&, &sock = accepted] { sock.getpeername(); }) == ENOTCONN);
    }

    TEST_CASE("nobody listens") {
        socket_t holder, waiting(AF_INET, SOCK_STREAM);
        const auto name = nobody(holder);
        CHECK(waiting.connect_ex(name) == EINPROGRESS);
        CHECK(has_error(waiting.fileno()));
        CHECK(waiting.getsockopt(SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
        CHECK(waiting.getsockopt(SOL_SOCKET, SO_ERROR) == 0);
        CHECK(support::blocking(socket_t(AF_INET, SOCK_STREAM)).connect_ex(name) == ECONNREFUSED);
        const support::TempDir folder;
        CHECK(socket_t(AF_UNIX, SOCK_STREAM).connect_ex({folder / "nothing"}) == ENOENT);
        support::write_file(folder / "file", "");
        CHECK(socket_t(AF_UNIX, SOCK_STREAM).connect_ex({folder / "file"}) == ECONNREFUSED);
    }

    TEST_CASE("already connected") {
        const auto server = listener();
        auto client = client_of(server);
        CHECK(client.connect_ex(server.getsockname()) == EISCONN);
    }

    TEST_CASE("the address is taken, or is none of ours, or does not fit") {
        const auto server = listener();
        socket_t other(AF_INET, SOCK_STREAM);
        CHECK(error_of([&] { other.bind(server.getsockname()); }) == EADDRINUSE);
        CHECK(error_of([&] { other.bind({"192.0.2.1", 0}); }) == EADDRNOTAVAIL);
        CHECK(error_of([&] { other.bind({"::1", 0}); }) == EADDRNOTAVAIL);
        CHECK_THROWS_AS(other.bind({"/tmp/s"}), std::invalid_argument);
        CHECK_THROWS_AS(other.connect_ex({"/tmp/s"}), std::invalid_argument);
        CHECK_THROWS_AS(other.bind({}), std::invalid_argument);
    }

    TEST_CASE("an address can be used again at once, if that is asked for") {
        socket_t server(AF_INET, SOCK_STREAM), again(AF_INET, SOCK_STREAM);
        server.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
        server.bind({HOST, 0});
        server.listen(1);
        const auto name = server.getsockname();
        auto client = client_of(server);
        int error = 0;
        server.accept(error).first.close();  // it is this end that waits for the last segments
        CHECK(received(client).empty());
        client.close();
        server.close();
        CHECK(error_of([&] { again.bind(name); }) == EADDRINUSE);
        again.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
        CHECK_NOTHROW(again.bind(name));
    }
}

TEST_SUITE("transfers") {
    TEST_CASE("nothing there is EAGAIN, the end is nothing without an error") {
        auto [a, b] = socket_t::pair();
        std::array<char, 4> buffer{};
        auto got = a.recv(buffer);
        CHECK(got.error == EAGAIN);
        CHECK(got.count == 0);
        CHECK(b.send("abcdef").count == 6);
        got = a.recv(buffer);
        CHECK(got.error == 0);
        CHECK(got.count == 4);
        CHECK(std::string(buffer.data(), 4) == "abcd");
        b.close();
        CHECK(a.recv(buffer).count == 2);
        for (int i = 0; i < 2; ++i) {
            got = a.recv(buffer);
            CHECK(got.error == 0);
            CHECK(got.count == 0);
        }
    }

    TEST_CASE("into no room at all the kernel is not asked") {
        socket_t sock(AF_INET, SOCK_STREAM);
        CHECK(sock.recv({}).error == 0);
        CHECK(sock.recv({}).count == 0);
        char byte = 0;
        CHECK(sock.recv({&byte, 1}).error == ENOTCONN);
        CHECK(sock.send("x").error == EPIPE);
    }

    TEST_CASE("as much as there is room for, then EAGAIN") {
        auto [a, b] = socket_t::pair();
        const std::string plenty(1 << 22, 'x');
        const auto sent = a.send(plenty);
        CHECK(sent.error == 0);
        CHECK(sent.count > 0);
        CHECK(sent.count < plenty.size());
        while (a.send(plenty).error == 0) {
        }
        CHECK(a.send("x").error == EAGAIN);
        CHECK(a.send("x").count == 0);
        std::string got(1 << 22, '\0');
        CHECK(b.recv(got).count > 0);
        CHECK(a.send("x").count == 1);
    }

    TEST_CASE("nothing is nothing") {
        auto [a, b] = socket_t::pair();
        CHECK(a.send("").error == 0);
        CHECK(a.send("").count == 0);
        char byte = 0;
        CHECK(b.recv({&byte, 1}).error == EAGAIN);
    }

    TEST_CASE("to a peer that is gone: EPIPE, and no signal") {
        CHECK(support::in_child([] {
            std::signal(SIGPIPE, SIG_DFL);
            auto [a, b] = socket_t::pair();
            b.close();
            return a.send("x").error == EPIPE && a.sendto("x", {"/tmp/s"}).error != 0;
        }));
    }

    TEST_CASE("reset by the peer: ECONNRESET, once") {
        auto [a, b] = tcp_pair();
        reset(b);
        CHECK(has_error(a.fileno()));
        char byte = 0;
        CHECK(a.recv({&byte, 1}).error == ECONNRESET);
        CHECK(a.recv({&byte, 1}).error == 0);
        CHECK(a.send("x").error == EPIPE);
    }

    TEST_CASE("flags") {
        auto [a, b] = tcp_pair();
        b.send("x");
        CHECK(received(a, MSG_PEEK) == "x");
        CHECK(received(a) == "x");
        char byte = 0;
        CHECK(a.recv({&byte, 1}, MSG_OOB).error == EINVAL);
        b.send("ab!", MSG_OOB);
        CHECK(received(a) == "ab");
        CHECK(a.recv({&byte, 1}, MSG_OOB).count == 1);
        CHECK(byte == '!');
    }

    TEST_CASE("a half of the connection") {
        auto [a, b] = tcp_pair();
        a.shutdown(SHUT_WR);
        CHECK(received(b).empty());
        CHECK(a.send("x").error == EPIPE);
        b.send("still");
        CHECK(received(a) == "still");
        CHECK(error_of([] { socket_t(AF_INET, SOCK_STREAM).shutdown(SHUT_WR); }) == ENOTCONN);
        CHECK(error_of([&, &sock = b] { sock.shutdown(99); }) == EINVAL);
    }

    TEST_CASE("datagrams, with where they come from") {
        socket_t a(AF_INET, SOCK_DGRAM), b(AF_INET, SOCK_DGRAM);
        a.bind({HOST, 0});
        b.bind({HOST, 0});
        std::array<char, 4> buffer{};
        address from;
        CHECK(b.recvfrom(buffer, from).error == EAGAIN);
        CHECK(!from);
        from = {"/tmp/before"};
        CHECK(b.recvfrom(buffer, from).error == EAGAIN);
        CHECK(from.path() == "/tmp/before");
        CHECK(a.sendto("ping", b.getsockname()).count == 4);
        REQUIRE(support::wait_readable(b.fileno(), 30s));
        CHECK(b.recvfrom(buffer, from).count == 4);
        CHECK(from == a.getsockname());
        CHECK(b.recvfrom(buffer, from).error == EAGAIN);  // it is taken
        CHECK(a.sendto("", from).error == 0);
        CHECK(b.sendto(std::string(100'000, 'x'), from).error == EMSGSIZE);
        CHECK_THROWS_AS(a.sendto("x", {"/tmp/s"}), std::invalid_argument);
    }

    TEST_CASE("datagrams from a socket without a name") {
        auto [a, b] = socket_t::pair(SOCK_DGRAM);
        a.send("x");
        char byte = 0;
        address from("/tmp/before");
        CHECK(b.recvfrom({&byte, 1}, from).count == 1);
        CHECK(!from);  // Python: None
    }

    TEST_CASE("a signal interrupts neither recv() nor send() nor accept()") {
        alarms_to_go = 5;
        SUBCASE("recv") {
            auto [a, b] = socket_t::pair();
            auto reader = support::blocking(std::move(a));
            end_to_use = b.fileno();
            const support::alarms every_millisecond(write_at_last);
            char byte = 0;
            CHECK(reader.recv({&byte, 1}).count == 1);
        }
        SUBCASE("send") {
            auto [a, b] = socket_t::pair();
            while (a.send("x").count == 1) {
            }
            auto writer = support::blocking(std::move(a));
            end_to_use = b.fileno();
            const support::alarms every_millisecond(read_at_last);
            CHECK(writer.send("x").count == 1);
        }
        SUBCASE("accept") {
            auto server = support::blocking(listener());
            const socket_t client(AF_INET, SOCK_STREAM);
            place_to_go = server.getsockname().resolve(AF_INET);
            end_to_use = client.fileno();
            const support::alarms every_millisecond(connect_at_last);
            int error = -1;
            CHECK(server.accept(error).first);
            CHECK(error == 0);
        }
        CHECK(alarms_to_go <= 0);
    }
}

TEST_SUITE("options") {
    TEST_CASE("are set and asked for") {
        socket_t sock(AF_INET, SOCK_STREAM);
        CHECK(sock.getsockopt(SOL_SOCKET, SO_REUSEADDR) == 0);
        sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
        CHECK(sock.getsockopt(SOL_SOCKET, SO_REUSEADDR) != 0);
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
        CHECK(sock.getsockopt(IPPROTO_TCP, TCP_NODELAY) != 0);
        CHECK(sock.getsockopt(SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
    }

    TEST_CASE("or refused") {
        socket_t sock(AF_INET, SOCK_STREAM);
        CHECK(error_of([&] { sock.getsockopt(SOL_SOCKET, 12345); }) == ENOPROTOOPT);
        CHECK(error_of([&] { sock.setsockopt(SOL_SOCKET, 12345, 1); }) == ENOPROTOOPT);
    }
}

namespace {

/// Stands in for a socket: turns letters round on their way through one.
class turned : public stream {
public:
    turned(socket_t sock, std::string& log) : sock_(std::move(sock)), log_(log) {}
    ~turned() override { log_ += "destroyed "; }
    int fileno() const noexcept override { return sock_.fileno(); }
    transfer recv(std::span<char> buffer) override {
        const auto got = sock_.recv(buffer);
        for (auto& c : buffer.first(got.count)) c = turn(c);
        return got;
    }
    transfer send(std::string_view data) override {
        std::string text(data);
        for (auto& c : text) c = turn(c);
        return sock_.send(text);
    }
    int getsockopt(int, int) override { return 42; }
    void close() override {
        log_ += "closed ";
        sock_.close();
    }

private:
    static char turn(char c) { return static_cast<char>('a' + 'z' - c); }
    socket_t sock_;
    std::string& log_;
};

/// Knows better who its peer is.
class proxied : public turned {
public:
    using turned::turned;
    address getsockname() const override { return {"192.0.2.1", 1}; }
    address getpeername() const override { return {"192.0.2.2", 2}; }
};

}  // namespace

TEST_SUITE("a socket that works through a stream") {
    TEST_CASE("asks it") {
        std::string log;
        auto [a, b] = tcp_pair();
        const int number = a.fileno();
        const auto name = a.getsockname(), peer = a.getpeername();
        {
            socket_t sock(std::make_unique<turned>(std::move(a), log));
            CHECK(sock);
            CHECK(sock.layer() != nullptr);
            CHECK(dynamic_cast<turned*>(sock.layer()) != nullptr);
            CHECK(sock.fileno() == number);
            CHECK(sock.send("abc").count == 3);
            CHECK(received(b) == "zyx");
            b.send("xyz");
            CHECK(received(sock) == "cba");
            CHECK(sock.getsockopt(SOL_SOCKET, SO_ERROR) == 42);
            CHECK(sock.getsockname() == name);
            CHECK(sock.getpeername() == peer);
            CHECK(sock.family() == AF_INET);
            CHECK(sock.detach().get() == -1);
            sock.shutdown(SHUT_WR);
            CHECK(received(b).empty());
            CHECK(log.empty());
            sock.close();
            CHECK(log == "closed ");
            CHECK(!sock);
            CHECK(!is_open(number));
            CHECK(sock.send("x").error == EBADF);
        }
        CHECK(log == "closed destroyed ");
    }

    TEST_CASE("that knows better") {
        std::string log;
        const socket_t sock(std::make_unique<proxied>(socket_t::pair().first, log));
        CHECK(sock.getsockname().repr() == "192.0.2.1:1");
        CHECK(sock.getpeername().repr() == "192.0.2.2:2");
    }

    TEST_CASE("takes no flags") {
        std::string log;
        socket_t sock(std::make_unique<turned>(socket_t::pair().first, log));
        char byte = 0;
        CHECK_THROWS_AS(sock.recv({&byte, 1}, MSG_PEEK), std::invalid_argument);
        CHECK_THROWS_AS(sock.send("x", MSG_OOB), std::invalid_argument);
    }

    TEST_CASE("wraps in place, layer on layer, and each goes with its socket") {
        std::string log;
        auto [a, b] = socket_t::pair();
        auto sock = std::move(a);
        const int number = sock.fileno();
        sock = socket_t(std::make_unique<turned>(std::move(sock), log));
        sock = socket_t(std::make_unique<turned>(std::move(sock), log));
        CHECK(log.empty());
        CHECK(sock.fileno() == number);
        sock.send("abc");
        CHECK(received(b) == "abc");  // turned twice
        sock = socket_t();
        CHECK(log == "destroyed destroyed ");
        CHECK(!is_open(number));
    }
}
