// platform/, but for the pollers (test_poller.cpp) and sockets (test_socket.cpp).
#include "support.hpp"

#include <asyncore/platform/address.hpp>
#include <asyncore/platform/descriptor_reserve.hpp>
#include <asyncore/platform/error.hpp>
#include <asyncore/platform/interrupt.hpp>
#include <asyncore/platform/repr.hpp>
#include <asyncore/platform/sigpipe.hpp>
#include <asyncore/platform/socket.hpp>
#include <asyncore/platform/timeout.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using namespace std::chrono_literals;
using namespace std::string_literals;
using socket_t = asyncore::platform::socket;
using support::in_child;
using support::pipe_ends;

namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

unique_fd dev_null() { return unique_fd(::open("/dev/null", O_RDWR)); }

volatile std::sig_atomic_t caught = 0;

/// Counts a signal in `caught` while it lives.
class counted {
public:
    explicit counted(int signal) : signal_(signal) {
        caught = 0;
        struct sigaction action {};
        action.sa_handler = [](int) { caught = caught + 1; };
        REQUIRE(::sigaction(signal, &action, &before_) == 0);
    }
    ~counted() { ::sigaction(signal_, &before_, nullptr); }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;

private:
    int signal_;
    struct sigaction before_ {};
};

sigset_t just(int signal) {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, signal);
    return set;
}

bool is_blocked(int signal) {
    sigset_t blocked;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    return sigismember(&blocked, signal) == 1;
}

bool is_pending(int signal) {
    sigset_t pending;
    ::sigpending(&pending);
    return sigismember(&pending, signal) == 1;
}

/// Writes to a pipe that nobody reads.  Returns: the errno.
int write_in_vain() {
    pipe_ends ends;
    ends.read.reset();
    return ::write(ends.write.get(), "x", 1) < 0 ? errno : 0;
}

bool there_is(const char* program) {
    return std::system(("command -v "s + program + " >/dev/null 2>&1").c_str()) == 0;
}

}  // namespace

TEST_SUITE("error") {
    TEST_CASE("is e.errno, of the generic category") {
        const auto error = os_error(ENOENT, "open");
        CHECK(error.code().value() == ENOENT);
        CHECK(error.code().category() == std::generic_category());
        CHECK(error.what() == "open: No such file or directory"s);
    }

    TEST_CASE("every errno that means a lost connection has a condition") {
        CHECK(os_error(ECONNRESET, "").code() == std::errc::connection_reset);
        CHECK(os_error(ENOTCONN, "").code() == std::errc::not_connected);
        CHECK(os_error(ECONNABORTED, "").code() == std::errc::connection_aborted);
        CHECK(os_error(EPIPE, "").code() == std::errc::broken_pipe);
        CHECK(os_error(EBADF, "").code() == std::errc::bad_file_descriptor);
    }

    TEST_CASE("throw_errno() throws what the last call left") {
        errno = EACCES;
        try {
            throw_errno("bind");
        } catch (const std::system_error& error) {
            CHECK(error.code().value() == EACCES);
            CHECK(error.what() == "bind: Permission denied"s);
        }
    }
}

TEST_SUITE("unique_fd") {
    TEST_CASE("closes what it holds") {
        int number = -1;
        {
            const auto fd = dev_null();
            number = fd.get();
            CHECK(is_open(number));
        }
        CHECK(!is_open(number));
    }

    TEST_CASE("holds nothing at first") {
        unique_fd fd;
        CHECK(fd.get() == -1);
        fd.reset();
        CHECK(fd.release() == -1);
    }

    TEST_CASE("moves") {
        auto a = dev_null();
        const int number = a.get();
        auto b = std::move(a);
        CHECK(a.get() == -1);  // NOLINT: that is what is tested
        CHECK(b.get() == number);
        auto c = dev_null();
        const int old = c.get();
        c = std::move(b);
        CHECK(!is_open(old));
        CHECK(c.get() == number);
        auto& same = c;
        c = std::move(same);
        CHECK(c.get() == number);
        CHECK(is_open(number));
    }

    TEST_CASE("gives away, and takes another") {
        auto fd = dev_null();
        const int number = fd.release();
        CHECK(fd.get() == -1);
        CHECK(is_open(number));
        fd.reset(number);
        const int other = dev_null().release();
        fd.reset(other);
        CHECK(!is_open(number));
        CHECK(fd.get() == other);
    }
}

TEST_SUITE("timeout") {
    TEST_CASE("in the forms of the system calls, rounded up") {
        struct {
            timeout limit;
            int milliseconds;
            long microseconds, nanoseconds;
        } const cases[] = {
            {0.0, 0, 0, 0},
            {-0.0, 0, 0, 0},
            {1e-10, 1, 1, 1},
            {1e-9, 1, 1, 1},
            {1e-6, 1, 1, 1000},
            {0.0009, 1, 900, 900000},
            {0.001, 1, 1000, 1000000},
            {0.0011, 2, 1100, 1100000},
            {0.5, 500, 500000, 500000000},
            {1ns, 1, 1, 1},
            {1001ns, 1, 2, 1001},
            {20ms, 20, 20000, 20000000},
        };
        for (const auto& each : cases) {
            CAPTURE(each.nanoseconds);
            CHECK(each.limit.milliseconds() == each.milliseconds);
            CHECK(each.limit.timeval().tv_sec == 0);
            CHECK(each.limit.timeval().tv_usec == each.microseconds);
            CHECK(each.limit.timespec().tv_sec == 0);
            CHECK(each.limit.timespec().tv_nsec == each.nanoseconds);
        }
    }

    TEST_CASE("of many seconds") {
        const timeout limit(90000.25);
        CHECK(limit.milliseconds() == 90000250);
        CHECK(limit.timeval().tv_sec == 90000);
        CHECK(limit.timeval().tv_usec == 250000);
        CHECK(limit.timespec().tv_sec == 90000);
        CHECK(limit.timespec().tv_nsec == 250000000);
        CHECK(timeout(24h).timespec().tv_sec == 86400);
    }

    TEST_CASE("milliseconds end at INT_MAX") {
        CHECK(timeout(2147483.647).milliseconds() == INT_MAX);
        CHECK(timeout(2147484.0).milliseconds() == INT_MAX);
        CHECK(timeout(9007199.25).milliseconds() == INT_MAX);
        CHECK(timeout(9007199.25).timespec().tv_sec == 9007199);
    }

    TEST_CASE("for ever") {
        const timeout limit(std::nullopt);
        CHECK(limit.forever());
        CHECK(!limit.zero());
        CHECK(limit.milliseconds() == -1);
        CHECK(limit.after(100h).forever());
    }

    TEST_CASE("what is no time is refused") {
        for (const double seconds : {-1.0, -1e-300, -std::numeric_limits<double>::infinity(),
                                     std::numeric_limits<double>::quiet_NaN()}) {
            CAPTURE(seconds);
            CHECK_THROWS_AS(timeout{seconds}, std::invalid_argument);
        }
        CHECK_THROWS_AS(timeout(-1ns), std::invalid_argument);
        for (const double seconds : {9007199.26, 1e9, std::numeric_limits<double>::max(),
                                     std::numeric_limits<double>::infinity()}) {
            CAPTURE(seconds);
            CHECK_THROWS_AS(timeout{seconds}, std::overflow_error);
        }
        CHECK_THROWS_AS(timeout{std::chrono::hours::max()}, std::overflow_error);
    }

    TEST_CASE("what is left of it") {
        const timeout limit(0.5);
        CHECK(!limit.forever());
        CHECK(!limit.zero());
        CHECK(limit.after(0ns).milliseconds() == 500);
        CHECK(limit.after(200ms).milliseconds() == 300);
        CHECK(limit.after(499'999'999ns).milliseconds() == 1);
        CHECK(limit.after(500ms).zero());
        CHECK(limit.after(1h).zero());
        CHECK(timeout(0.0).zero());
    }
}

TEST_SUITE("address") {
    TEST_CASE("as Python writes it") {
        CHECK(address().repr() == "None");
        CHECK(address("127.0.0.1", 80).repr() == "127.0.0.1:80");
        CHECK(address("", 0).repr() == ":0");
        CHECK(address("localhost", 65535).repr() == "localhost:65535");
        CHECK(address("::1", 25).repr() == "::1:25");
        CHECK(address("::1", 80, 0, 0).repr() == "('::1', 80, 0, 0)");
        CHECK(address("fe80::1", 80, 7, 2).repr() == "('fe80::1', 80, 7, 2)");
        CHECK(address("/tmp/s").repr() == "'/tmp/s'");
        CHECK(address("/tmp/it's").repr() == "\"/tmp/it's\"");
        CHECK(address("").repr() == "''");
        CHECK(address("\0name"s).repr() == "b'\\x00name'");
    }

    TEST_CASE("and its parts") {
        const address v4("127.0.0.1", 80), v6("::1", 80, 7, 2), path("/tmp/s"), nothing;
        CHECK(v4.host() == "127.0.0.1");
        CHECK(v4.port() == 80);
        CHECK(v4.path().empty());
        CHECK(!v4.is_unix());
        CHECK(v6.host() == "::1");
        CHECK(v6.port() == 80);
        CHECK(v6.flowinfo() == 7);
        CHECK(v6.scope_id() == 2);
        CHECK(v6.path().empty());
        CHECK(path.is_unix());
        CHECK(path.path() == "/tmp/s");
        CHECK(path.host().empty());
        CHECK(path.port() == 0);
        CHECK(v4);
        CHECK(!nothing);
        CHECK(nothing.host().empty());
    }

    TEST_CASE("is a value") {
        const address all[] = {{},
                               {"127.0.0.1", 80},
                               {"127.0.0.1", 81},
                               {"127.0.0.2", 80},
                               {"localhost", 80},
                               {"::1", 80, 0, 0},
                               {"::1", 80, 0, 1},
                               {"/tmp/s"},
                               {"\0/tmp/s"s}};
        for (const auto& a : all)
            for (const auto& b : all) CHECK((a == b) == (&a == &b));
        for (const auto& each : all) {
            auto copy = each;
            CHECK(copy == each);
            auto moved = std::move(copy);
            CHECK(moved == each);
            address assigned("/tmp/other");
            assigned = each;
            CHECK(assigned == each);
            auto& same = assigned;
            assigned = same;
            CHECK(assigned == each);
            CHECK(bool(assigned) == bool(each));
        }
        CHECK(sizeof(address) == 16);
    }

    TEST_CASE("to the kernel and back") {
        const std::pair<address, int> all[] = {
            {{"127.0.0.1", 80}, AF_INET},  {{"255.255.255.255", 65535}, AF_INET},
            {{"::1", 80, 7, 2}, AF_INET6}, {{"2001:db8::5", 1, 0xfffff, 0}, AF_INET6},
            {{"/tmp/s"}, AF_UNIX},         {{"\0na\0me"s}, AF_UNIX}};
        for (const auto& each : all) {
            const auto& name = each.first;
            const int family = each.second;
            CAPTURE(name.repr());
            const auto form = name.resolve(family);
            CHECK(form.name.ss_family == family);
            CHECK(address(reinterpret_cast<const sockaddr*>(&form.name), form.length) == name);
        }
    }

    TEST_CASE("in the form of the kernel") {
        const auto v4 = address("127.0.0.1", 0x1234).resolve(AF_INET);
        const auto& in = reinterpret_cast<const sockaddr_in&>(v4.name);
        CHECK(v4.length == sizeof(sockaddr_in));
        CHECK(in.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
        CHECK(in.sin_port == htons(0x1234));

        const auto v6 = address("::1", 0x1234).resolve(AF_INET6);
        const auto& in6 = reinterpret_cast<const sockaddr_in6&>(v6.name);
        CHECK(v6.length == sizeof(sockaddr_in6));
        CHECK(IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr));
        CHECK(in6.sin6_port == htons(0x1234));

        const auto head = offsetof(sockaddr_un, sun_path);
        CHECK(address("/tmp/s").resolve(AF_UNIX).length == head + 7);  // with its zero byte
        CHECK(address("\0na"s).resolve(AF_UNIX).length == head + 3);
        CHECK(address("").resolve(AF_UNIX).length == head);

        const auto broadcast = address("<broadcast>", 1).resolve(AF_INET);
        CHECK(reinterpret_cast<const sockaddr_in&>(broadcast.name).sin_addr.s_addr == INADDR_NONE);
        const auto every = address("", 1).resolve(AF_INET);
        CHECK(reinterpret_cast<const sockaddr_in&>(every.name).sin_addr.s_addr == INADDR_ANY);
        CHECK(reinterpret_cast<const sockaddr_in&>(every.name).sin_port == htons(1));
    }

    TEST_CASE("of whatever family it is") {
        CHECK(address("127.0.0.1", 1).resolve(AF_UNSPEC).name.ss_family == AF_INET);
        CHECK(address("::1", 1).resolve(AF_UNSPEC).name.ss_family == AF_INET6);
        CHECK(address("::1", 1, 0, 0).resolve(AF_UNSPEC).name.ss_family == AF_INET6);
        CHECK(address("/tmp/s").resolve(AF_UNSPEC).name.ss_family == AF_UNIX);
    }

    TEST_CASE("a path has room for 107 bytes, an abstract name for 108") {
        CHECK_NOTHROW(address(std::string(107, 'x')).resolve(AF_UNIX));
        CHECK_THROWS_AS(address(std::string(108, 'x')).resolve(AF_UNIX), std::invalid_argument);
        CHECK_NOTHROW(address('\0' + std::string(107, 'x')).resolve(AF_UNIX));
        CHECK_THROWS_AS(address('\0' + std::string(108, 'x')).resolve(AF_UNIX),
                        std::invalid_argument);
    }

    TEST_CASE("of another family is refused") {
        CHECK_THROWS_AS(address().resolve(AF_INET), std::invalid_argument);
        CHECK_THROWS_AS(address().resolve(AF_UNSPEC), std::invalid_argument);
        CHECK_THROWS_AS(address("/tmp/s").resolve(AF_INET), std::invalid_argument);
        CHECK_THROWS_AS(address("127.0.0.1", 80).resolve(AF_UNIX), std::invalid_argument);
    }

    TEST_CASE("a host that is none is an error, with the resolver's words") {
        const std::pair<address, int> all[] = {
            {{"::1", 80}, AF_INET}, {{"127.0.0.1", 80}, AF_INET6}, {{"::1", 80, 0, 0}, AF_INET}};
        for (const auto& [name, family] : all) try {
                name.resolve(family);
                FAIL("no error for " << name.repr());
            } catch (const std::system_error& error) {
                CHECK(error.code() == std::errc::address_not_available);
                CHECK(std::string(error.what()).find(name.host()) != std::string::npos);
            }
        // Python: "host name must not contain null character".
        for (const auto& host : {"127.0.0.1\0x"s, "\0"s, "localhost\0"s})
            CHECK_THROWS_AS(address(host, 80).resolve(AF_INET), std::invalid_argument);
    }

    TEST_CASE("of a socket without a name") {
        sockaddr_storage name{};
        const auto* generic = reinterpret_cast<const sockaddr*>(&name);
        CHECK(!address(generic, 0));  // what recvfrom() says of a socketpair
        name.ss_family = AF_UNIX;
        CHECK(address(generic, sizeof(sa_family_t)).repr() == "''");
    }
}

TEST_SUITE("repr") {
    TEST_CASE("as Python's") {
        CHECK(bytes_repr("") == "b''");
        CHECK(bytes_repr("it's") == R"(b"it's")");
        CHECK(bytes_repr(R"(say "x")") == R"(b'say "x"')");
        CHECK(bytes_repr(R"(both ' and ")") == R"(b'both \' and "')");
        CHECK(bytes_repr("\\") == R"(b'\\')");
        CHECK(bytes_repr("a\tb\nc\rd") == R"(b'a\tb\nc\rd')");
        CHECK(bytes_repr("\0\x01\x1f\x7f\x80\xff"s) == R"(b'\x00\x01\x1f\x7f\x80\xff')");
        CHECK(str_repr("") == "''");
        CHECK(str_repr("it's") == R"("it's")");
        CHECK(str_repr(R"(both ' and ")") == R"('both \' and "')");
        CHECK(str_repr("\0\t\x1b\x7f"s) == R"('\x00\t\x1b\x7f')");
        CHECK(str_repr("na\xc3\xafve") == "'na\xc3\xafve'");
    }

    TEST_CASE("as the python3 that is here" * doctest::skip(!there_is("python3"))) {
        std::vector<std::string> texts;
        for (int a = 0; a < 256; ++a) texts.emplace_back(1, static_cast<char>(a));
        for (const char a : "'\"\\\n\0x\xff"s)
            for (const char b : "'\"\\\n\0x\xff"s)
                for (const char c : "'\"\\\n\0x\xff"s) texts.push_back({a, b, c});
        const support::TempDir folder;
        std::string escaped;
        for (const auto& text : texts) {
            for (const char c : text) {
                char digits[3];
                std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(c));
                escaped += digits;
            }
            escaped += '\n';
        }
        support::write_file(folder / "texts", escaped);
        support::write_file(folder / "reprs.py", R"(import sys
for line in open(sys.argv[1]):
    text = bytes.fromhex(line)
    print(repr(text), repr(text.decode('ascii')) if text.isascii() else '-')
)");
        REQUIRE(std::system(("python3 '" + (folder / "reprs.py") + "' '" + (folder / "texts") +
                             "' >'" + (folder / "reprs") + "'")
                                .c_str()) == 0);
        const auto lines = support::splitlines(support::read_file(folder / "reprs"));
        REQUIRE(lines.size() == texts.size());
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const bool ascii = texts[i].find_first_of("\xff") == std::string::npos &&
                               (texts[i].size() > 1 || static_cast<signed char>(texts[i][0]) >= 0);
            CHECK(bytes_repr(texts[i]) + " " + (ascii ? str_repr(texts[i]) : "-") == lines[i]);
        }
    }
}

TEST_SUITE("sigpipe") {
    TEST_CASE("a write to a pipe that nobody reads kills nobody") {
        CHECK(in_child([] {
            std::signal(SIGPIPE, SIG_DFL);
            const no_sigpipe guard;
            return write_in_vain() == EPIPE;
        }));
        CHECK(!in_child([] {  // as it would without
            std::signal(SIGPIPE, SIG_DFL);
            return write_in_vain() == EPIPE;
        }));
    }

    TEST_CASE("and afterwards all is as it was") {
        const counted handler(SIGPIPE);
        {
            const no_sigpipe outer;
            {
                const no_sigpipe inner;
                CHECK(write_in_vain() == EPIPE);
            }
            CHECK(is_blocked(SIGPIPE));
            CHECK(!is_pending(SIGPIPE));
            CHECK(write_in_vain() == EPIPE);
            errno = EPIPE;
        }
        CHECK(errno == EPIPE);
        CHECK(caught == 0);
        CHECK(!is_blocked(SIGPIPE));
        CHECK(write_in_vain() == EPIPE);
        CHECK(caught == 1);
    }

    TEST_CASE("what was pending is pending still") {
        const counted handler(SIGPIPE);
        const auto set = just(SIGPIPE);
        REQUIRE(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
        SUBCASE("nothing was") {
            {
                const no_sigpipe guard;
                CHECK(write_in_vain() == EPIPE);
            }
            CHECK(!is_pending(SIGPIPE));
        }
        SUBCASE("one was") {
            ::raise(SIGPIPE);
            {
                const no_sigpipe guard;
                CHECK(write_in_vain() == EPIPE);
            }
            CHECK(is_pending(SIGPIPE));
        }
        const int expected = is_pending(SIGPIPE);
        CHECK(is_blocked(SIGPIPE));
        ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
        CHECK(caught == expected);
    }
}

TEST_SUITE("interrupt") {
    TEST_CASE("SIGINT makes a descriptor readable until it is forgotten") {
        const counted handler(SIGINT);
        const int fd = catch_sigint();
        CHECK(!support::wait_readable(fd, 0ms));
        ::raise(SIGINT);
        CHECK(support::wait_readable(fd, 0ms));
        CHECK(support::wait_readable(fd, 0ms));
        for (int i = 0; i < 100; ++i) ::raise(SIGINT);
        forget_sigint();
        CHECK(!support::wait_readable(fd, 0ms));
        forget_sigint();
        ::raise(SIGINT);
        CHECK(support::wait_readable(fd, 0ms));
        release_sigint();
        CHECK(!support::wait_readable(fd, 0ms));
        CHECK(caught == 0);
        ::raise(SIGINT);
        CHECK(caught == 1);  // what SIGINT did before, it does again
    }

    TEST_CASE("more signals than a pipe holds") {
        const counted handler(SIGINT);
        const int fd = catch_sigint();
        for (int i = 0; i < 100'000; ++i) ::raise(SIGINT);
        errno = ENOENT;
        ::raise(SIGINT);
        CHECK(errno == ENOENT);
        forget_sigint();
        CHECK(!support::wait_readable(fd, 0ms));
        release_sigint();
    }

    TEST_CASE("the last to release it puts back what was") {
        struct sigaction now {};
        std::signal(SIGINT, SIG_IGN);
        const int fd = catch_sigint();
        CHECK(catch_sigint() == fd);
        release_sigint();
        ::raise(SIGINT);
        CHECK(support::wait_readable(fd, 0ms));
        release_sigint();
        REQUIRE(::sigaction(SIGINT, nullptr, &now) == 0);
        const bool ignored = now.sa_handler == SIG_IGN;
        CHECK(ignored);
        std::signal(SIGINT, SIG_DFL);
    }

    TEST_CASE("its pipe neither blocks nor passes on") {
        const int fd = catch_sigint();
        CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
        release_sigint();
    }

    TEST_CASE("it ends a wait, whenever it comes") {
        const counted handler(SIGINT);
        const int fd = catch_sigint();
        const support::alarms soon([](int) { ::raise(SIGINT); });
        bool heard = false;
        for (int i = 0; i < 1000 && !heard; ++i)  // poll(2) may say EINTR first
            heard = support::wait_readable(fd, 30s);
        CHECK(heard);
        release_sigint();
    }
}

TEST_SUITE("shed") {
    TEST_CASE("a connection is taken and closed when there are no descriptors left") {
        CHECK(in_child([] {
            socket_t listener(AF_INET, SOCK_STREAM);
            listener.bind({support::HOST, 0});
            listener.listen(5);
            std::vector<socket_t> clients(3);
            for (auto& each : clients) {
                each = support::blocking(socket_t(AF_INET, SOCK_STREAM));
                if (each.connect_ex(listener.getsockname()) != 0) return false;
            }

            const int reserved = dev_null().get();
            reserve_descriptor();
            if ((::fcntl(reserved, F_GETFD) & FD_CLOEXEC) == 0) return false;
            const rlimit few{64, 64};
            if (::setrlimit(RLIMIT_NOFILE, &few) < 0) return false;
            std::vector<unique_fd> all;
            for (auto fd = dev_null(); fd.get() >= 0; fd = dev_null()) all.push_back(std::move(fd));
            int error = 0;
            if (listener.accept(error).first || error != EMFILE) return false;

            for (auto& each : clients) {
                char byte = 0;
                if (!drop_connection(listener.fileno())) return false;
                if (each.recv({&byte, 1}).count != 0) return false;
            }
            // The descriptor is in reserve again, and nobody waits.
            if (dev_null().get() >= 0) return false;
            all.pop_back();
            return !listener.accept(error).first && error == EAGAIN;
        }));
    }

    TEST_CASE("with none in reserve nothing is done") {
        CHECK(in_child([] {
            const rlimit few{64, 64};
            if (::setrlimit(RLIMIT_NOFILE, &few) < 0) return false;
            std::vector<unique_fd> all;
            for (auto fd = dev_null(); fd.get() >= 0; fd = dev_null()) all.push_back(std::move(fd));
            if (drop_connection(all[0].get())) return false;
            all.pop_back();  // now there is one to reserve
            return drop_connection(all[0].get());
        }));
    }
}
