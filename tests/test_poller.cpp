// What platform/poller.hpp promises, asked of one mechanism after the other.  What a descriptor is
// ready for is Linux's word; that all mechanisms say the same is ours.
#include "support.hpp"

#include <asyncore/platform/ask_poll.hpp>
#include <asyncore/platform/poller.hpp>
#include <asyncore/platform/socket.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using socket_t = asyncore::platform::socket;
using support::alarms;
using support::in_child;
using support::pipe_ends;
using support::tcp_pair;

namespace asyncore::platform {

/// "read|write", for what a failed check says.
doctest::String toString(events what) {
    constexpr std::pair<events, const char*> names[] = {
        {events::read, "read"},   {events::priority, "priority"}, {events::write, "write"},
        {events::error, "error"}, {events::hangup, "hangup"},     {events::invalid, "invalid"}};
    std::string text;
    for (const auto& [flag, name] : names)
        if (any(what & flag)) text += (text.empty() ? "" : "|") + std::string(name);
    return text.empty() ? "none" : text.c_str();
}

doctest::String toString(const std::map<int, events>& answer) {
    std::string text;
    for (const auto& [fd, what] : answer)
        text += " " + std::to_string(fd) + ":" + toString(what).c_str();
    return text.c_str();
}

}  // namespace asyncore::platform

namespace {

constexpr events none = events::none, reads = events::read, writes = events::write,
                 priority = events::priority, error = events::error, hangup = events::hangup;
constexpr events all = reads | writes | priority;
constexpr events combinations[] = {
    none, reads, writes, reads | writes, priority, reads | priority, writes | priority, all};
constexpr events unasked = error | hangup | events::invalid;

using answer = std::map<int, events>;

struct fixture {
    std::unique_ptr<poller> waiter = make_poller();

    bool is(std::string_view name) const { return waiter->name() == name; }
    /// These two have a descriptor, and the kernel keeps the set.
    bool kernel_keeps_the_set() const { return is("epoll") || is("kqueue"); }

    void watch(int fd, events interest) { waiter->watch(fd, interest); }
    void watch(const socket_t& sock, events interest) { watch(sock.fileno(), interest); }
    void watch(const unique_fd& fd, events interest) { watch(fd.get(), interest); }

    answer wait(timeout limit = 0.0) {
        std::vector<ready> found;
        waiter->wait(limit, found);
        answer by_descriptor;
        for (const auto& each : found) by_descriptor[each.fd] |= each.what;
        CHECK(by_descriptor.size() == found.size());  // an entry per descriptor
        return by_descriptor;
    }
};

void put(int fd, std::string_view data) {
    REQUIRE(::write(fd, data.data(), data.size()) == static_cast<ssize_t>(data.size()));
}

void take(int fd, std::size_t size) {
    std::string data(size, '\0');
    REQUIRE(::read(fd, data.data(), size) == static_cast<ssize_t>(size));
}

void fill(int fd) {
    const std::string data(4096, 'x');
    while (::write(fd, data.data(), data.size()) > 0) {
    }
    while (::write(fd, "x", 1) > 0) {
    }
}

/// Loopback is quick, but nobody promises that it is at once.
void until(int fd, short what) {
    pollfd asked{fd, what, 0};
    REQUIRE(::poll(&asked, 1, 30000) == 1);
    REQUIRE((asked.revents & what) != 0);
}

void reset_by_peer(socket_t& peer) {
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(peer.fileno(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    peer.close();
}

/// A descriptor in some state, and what keeps it there.
struct state {
    int fd = -1;
    std::vector<socket_t> sockets;
    std::vector<unique_fd> others;

    socket_t& keep(socket_t sock) { return sockets.emplace_back(std::move(sock)); }
    int watch(socket_t sock) { return fd = keep(std::move(sock)).fileno(); }
    int watch(unique_fd other) { return fd = others.emplace_back(std::move(other)).get(); }

    /// Watches one end of a pair, and returns the other.
    socket_t& watch_first(std::pair<socket_t, socket_t> both) {
        watch(std::move(both.first));
        return keep(std::move(both.second));
    }
};

/// A file with something in it.
unique_fd a_file() {
    const support::TempDir folder;
    const auto path = folder / "file";
    support::write_file(path, "some bytes");
    unique_fd file(::open(path.c_str(), O_RDWR));
    REQUIRE(file.get() >= 0);
    return file;
}

socket_t listener() {
    socket_t sock(AF_INET, SOCK_STREAM);
    sock.bind({support::HOST, 0});
    sock.listen(5);
    return sock;
}

struct situation {
    std::string name;
    events sides;     // which it makes sense to ask for
    events expected;  // if asked for all of them
    void (*make)(state&);
};

const situation situations[] = {
    {"a socket", all, writes, [](state& s) { s.watch_first(socket_t::pair()); }},
    {"a socket with bytes to read", all, reads | writes,
     [](state& s) { s.watch_first(socket_t::pair()).send("x"); }},
    {"a socket with no room to write", all, none,
     [](state& s) {
         s.watch_first(socket_t::pair());
         fill(s.fd);
     }},
    {"a socket whose peer is gone", all, reads | writes | hangup,
     [](state& s) { s.watch_first(socket_t::pair()).close(); }},
    {"a socket whose peer has said all", all, reads | writes,
     [](state& s) {
         s.watch_first(tcp_pair()).shutdown(SHUT_WR);
         until(s.fd, POLLIN);
     }},
    {"a socket that has said all", all, writes,
     [](state& s) {
         s.watch_first(tcp_pair());
         s.sockets[0].shutdown(SHUT_WR);
     }},
    {"a socket that has said all, and so has its peer", all, reads | writes | hangup,
     [](state& s) {
         auto& peer = s.watch_first(tcp_pair());
         s.sockets[0].shutdown(SHUT_WR);
         peer.shutdown(SHUT_WR);
         until(s.fd, POLLHUP);
     }},
    {"a socket with bytes to read, and its peer has said all", all, reads | writes,
     [](state& s) {
         auto& peer = s.watch_first(tcp_pair());
         peer.send("x");
         peer.shutdown(SHUT_WR);
         until(s.fd, POLLIN);
     }},
    {"a socket reset by its peer", all, reads | writes | error | hangup,
     [](state& s) {
         reset_by_peer(s.watch_first(tcp_pair()));
         until(s.fd, POLLERR);
     }},
    {"a socket with an urgent byte", all, writes | priority,
     [](state& s) {
         s.watch_first(tcp_pair()).send("!", MSG_OOB);
         until(s.fd, POLLPRI);
     }},
    {"a socket with bytes and an urgent one", all, reads | writes | priority,
     [](state& s) {
         auto& peer = s.watch_first(tcp_pair());
         peer.send("x");
         peer.send("!", MSG_OOB);
         until(s.fd, POLLPRI);
         until(s.fd, POLLIN);
     }},
    {"a socket that was never connected", all, writes | hangup,
     [](state& s) { s.watch(socket_t(AF_INET, SOCK_STREAM)); }},
    {"a listening socket", all, none, [](state& s) { s.watch(listener()); }},
    {"a listening socket with a connection", all, reads,
     [](state& s) {
         s.watch(listener());
         socket_t client(AF_INET, SOCK_STREAM);
         static_cast<void>(client.connect_ex(s.sockets[0].getsockname()));
         s.keep(std::move(client));
         until(s.fd, POLLIN);
     }},
    {"a connect that succeeded", all, writes,
     [](state& s) {
         const auto& server = s.keep(listener());
         socket_t client(AF_INET, SOCK_STREAM);
         static_cast<void>(client.connect_ex(server.getsockname()));
         s.watch(std::move(client));
         until(s.fd, POLLOUT);
     }},
    {"a connect that was refused", all, reads | writes | error | hangup,
     [](state& s) {
         socket_t nobody(AF_INET, SOCK_STREAM), client(AF_INET, SOCK_STREAM);
         nobody.bind({support::HOST, 0});  // and does not listen
         REQUIRE(client.connect_ex(nobody.getsockname()) == EINPROGRESS);
         s.watch(std::move(client));
         s.keep(std::move(nobody));
         until(s.fd, POLLERR);
     }},
    {"a datagram socket", all, writes, [](state& s) { s.watch(socket_t(AF_INET, SOCK_DGRAM)); }},
    {"a datagram socket with a datagram", all, reads | writes,
     [](state& s) { s.watch_first(socket_t::pair(SOCK_DGRAM)).send("x"); }},
    {"an empty pipe", reads | priority, none,
     [](state& s) {
         pipe_ends ends;
         s.watch(std::move(ends.read));
         s.others.push_back(std::move(ends.write));
     }},
    {"a pipe with bytes", reads | priority, reads,
     [](state& s) {
         pipe_ends ends;
         put(ends.write.get(), "x");
         s.watch(std::move(ends.read));
         s.others.push_back(std::move(ends.write));
     }},
    {"a pipe that nobody writes to", reads | priority, hangup,
     [](state& s) { s.watch(std::move(pipe_ends().read)); }},
    {"a pipe with bytes that nobody writes to", reads | priority, reads | hangup,
     [](state& s) {
         pipe_ends ends;
         put(ends.write.get(), "x");
         s.watch(std::move(ends.read));
     }},
    {"a pipe with room", writes | priority, writes,
     [](state& s) {
         pipe_ends ends;
         s.watch(std::move(ends.write));
         s.others.push_back(std::move(ends.read));
     }},
    {"a full pipe", writes | priority, none,
     [](state& s) {
         pipe_ends ends;
         fill(ends.write.get());
         s.watch(std::move(ends.write));
         s.others.push_back(std::move(ends.read));
     }},
    {"a pipe that nobody reads", writes | priority, writes | error,
     [](state& s) { s.watch(std::move(pipe_ends().write)); }},
    {"a full pipe that nobody reads", writes | priority, error,
     [](state& s) {
         pipe_ends ends;
         fill(ends.write.get());
         s.watch(std::move(ends.write));
     }},
    {"a file at its beginning", all, reads | writes, [](state& s) { s.watch(a_file()); }},
    {"a file at its end", all, reads | writes,
     [](state& s) {
         s.watch(a_file());
         REQUIRE(::lseek(s.fd, 0, SEEK_END) > 0);
     }},
    {"a folder", all, reads | writes, [](state& s) { s.watch(unique_fd(::open("/", O_RDONLY))); }},
    {"/dev/null", all, reads | writes,
     [](state& s) { s.watch(unique_fd(::open("/dev/null", O_RDWR))); }},
    {"/dev/zero", all, reads | writes,
     [](state& s) { s.watch(unique_fd(::open("/dev/zero", O_RDWR))); }},
};

/// Puts a duplicate of `fd` under the first free number from `lowest` on.
unique_fd duplicate(int fd, int lowest) { return unique_fd(::fcntl(fd, F_DUPFD, lowest)); }

std::vector<int> open_descriptors() {
    std::vector<int> numbers;
    for (int fd = 0; fd < FD_SETSIZE; ++fd)
        if (::fcntl(fd, F_GETFD) >= 0) numbers.push_back(fd);
    return numbers;
}

volatile std::sig_atomic_t count_of_alarms = 0;
int written_to_at_fifth = -1;

/// The environment's ASYNCORE_POLLER is another while this lives.
class environment {
public:
    explicit environment(const char* name) {
        if (const char* now = std::getenv(variable)) before_ = now;
        ::setenv(variable, name, 1);
    }
    ~environment() {
        if (before_) ::setenv(variable, before_->c_str(), 1);
        else ::unsetenv(variable);
    }
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;

private:
    static constexpr const char* variable = "ASYNCORE_POLLER";
    std::optional<std::string> before_;
};

}  // namespace

TEST_SUITE("what is ready") {
    TEST_CASE_FIXTURE(fixture, "in every situation, whatever is asked for") {
        for (const auto& each : situations) {
            for (const auto interest : combinations) {
                if (interest == none || (interest & each.sides) != interest) continue;
                INFO(each.name);
                CAPTURE(interest);
                state here;
                each.make(here);
                auto expected = each.expected & (interest | unasked);
                watch(here.fd, interest);
                for (int turn = 0; turn < 2; ++turn) {  // it is told again until it is consumed
                    const auto found = wait();
                    CHECK(found.size() == (found.count(here.fd) ? 1 : 0));
                    auto what = found.count(here.fd) ? found.at(here.fd) : none;
                    // Who waits for out-of-band data alone may hear of nothing else.
                    if (interest == priority) {
                        expected = expected & priority;
                        what = what & priority;
                    }
                    CHECK(what == expected);
                }
                watch(here.fd, none);
            }
        }
    }

    TEST_CASE_FIXTURE(fixture, "until it is consumed") {
        auto [a, b] = socket_t::pair();
        watch(a, reads);
        CHECK(wait().empty());
        b.send("xy");
        CHECK(wait() == answer{{a.fileno(), reads}});
        take(a.fileno(), 1);
        CHECK(wait() == answer{{a.fileno(), reads}});
        take(a.fileno(), 1);
        CHECK(wait().empty());
        b.send("z");
        CHECK(wait() == answer{{a.fileno(), reads}});
    }

    TEST_CASE_FIXTURE(fixture, "an urgent byte, until it is read") {
        auto [a, b] = tcp_pair();
        watch(a, priority);
        CHECK(wait().empty());
        b.send("!", MSG_OOB);
        CHECK(wait(10.0) == answer{{a.fileno(), priority}});
        char byte = 0;
        CHECK(a.recv({&byte, 1}, MSG_OOB).count == 1);
        CHECK(wait().empty());
    }

    TEST_CASE_FIXTURE(fixture, "room, until it is filled") {
        pipe_ends ends;
        watch(ends.write, writes);
        CHECK(wait() == answer{{ends.write.get(), writes}});
        fill(ends.write.get());
        CHECK(wait().empty());
        std::string all_of_it(1 << 20, '\0');
        REQUIRE(::read(ends.read.get(), all_of_it.data(), all_of_it.size()) > 0);
        CHECK(wait() == answer{{ends.write.get(), writes}});
    }

    TEST_CASE_FIXTURE(fixture, "all of them in one wait, however many") {
        const std::size_t pairs = is("select") ? 400 : 1000;
        support::raise_descriptor_limit(2 * pairs + 100);
        std::vector<pipe_ends> pipes(pairs);
        watch(pipes[0].read, reads);
        CHECK(wait().empty());  // there is room for few now
        for (const auto& each : pipes) watch(each.read, reads), watch(each.write, writes);
        CHECK(wait().size() == pairs);
        for (const auto& each : pipes) put(each.write.get(), "x");
        CHECK(wait().size() == 2 * pairs);
        for (const auto& each : pipes) watch(each.write, none);
        CHECK(wait().size() == pairs);
        for (std::size_t i = 0; i < pairs; i += 2) take(pipes[i].read.get(), 1);
        const auto found = wait();
        CHECK(found.size() == pairs / 2);
        for (std::size_t i = 0; i < pairs; ++i) CHECK(found.count(pipes[i].read.get()) == i % 2);
        for (const auto& each : pipes) watch(each.read, none);
        CHECK(wait().empty());
    }

    TEST_CASE_FIXTURE(fixture, "what was found before is forgotten") {
        std::vector<ready> found{{7, reads}, {8, writes}};
        waiter->wait(0.0, found);
        CHECK(found.empty());
    }

    TEST_CASE("ask_poll() says what the doubtful are ready for") {
        auto [a, b] = socket_t::pair();
        pipe_ends ends, quiet;
        ends.write.reset();
        const int closed = duplicate(a.fileno(), 0).get();
        std::vector<ready> found{{a.fileno(), reads},       {b.fileno(), writes | hangup},
                                 {ends.read.get(), reads},  {7, priority},
                                 {quiet.read.get(), reads}, {closed, reads}};
        ask_poll(found, reads | hangup);
        REQUIRE(found.size() == 4);  // nothing to read for the first, nor for the quiet one
        CHECK(found[0].fd == b.fileno());
        CHECK(found[0].what == writes);
        CHECK(found[1].fd == ends.read.get());
        CHECK(found[1].what == hangup);
        CHECK(found[2].fd == 7);
        CHECK(found[2].what == priority);
        CHECK(found[3].fd == closed);
        CHECK(found[3].what == events::invalid);
    }
}

TEST_SUITE("watching") {
    TEST_CASE_FIXTURE(fixture, "replaces what was said before") {
        auto [a, b] = tcp_pair();
        b.send("x");
        b.send("!", MSG_OOB);
        until(a.fileno(), POLLPRI);
        until(a.fileno(), POLLIN);
        for (const auto before : combinations)
            for (const auto after : combinations) {
                CAPTURE(before);
                CAPTURE(after);
                watch(a, before);
                watch(a, after);
                CHECK(wait() == (after == none ? answer{} : answer{{a.fileno(), after}}));
                watch(a, none);
            }
    }

    TEST_CASE_FIXTURE(fixture, "a file, then not") {
        const auto file = a_file();
        watch(file, reads);
        CHECK(wait() == answer{{file.get(), reads}});
        CHECK(wait(std::nullopt) == answer{{file.get(), reads}});
        watch(file, writes);
        CHECK(wait(10.0) == answer{{file.get(), writes}});
        watch(file, none);
        CHECK(wait().empty());
    }

    TEST_CASE_FIXTURE(fixture, "a file has no urgent bytes, and who waits for them waits") {
        const auto file = a_file();
        watch(file, priority);
        const auto start = clock_type::now();
        CHECK(wait(0.02).empty());
        CHECK(clock_type::now() - start >= 20ms);
        watch(file, priority | reads);
        CHECK(wait(std::nullopt) == answer{{file.get(), reads}});
    }

    TEST_CASE_FIXTURE(fixture, "files and others in one wait") {
        const auto file = a_file();
        auto [a, b] = socket_t::pair();
        b.send("x");
        watch(file, reads);
        watch(a, reads);
        CHECK(wait(std::nullopt) == answer{{file.get(), reads}, {a.fileno(), reads}});
    }

    TEST_CASE_FIXTURE(fixture, "none forgets, and never fails") {
        auto [a, b] = socket_t::pair();
        b.close();  // a hang-up that would be reported unasked
        watch(a, none);
        CHECK(wait().empty());
        watch(a, reads);
        CHECK(wait().size() == 1);
        watch(a, none);
        watch(a, none);
        CHECK(wait().empty());
        const int number = a.fileno();
        watch(a, reads);
        a.close();
        CHECK_NOTHROW(watch(number, none));
        CHECK(wait().empty());
        CHECK_NOTHROW(watch(1'000'000, none));
    }

    TEST_CASE_FIXTURE(fixture, "a closed descriptor is refused, or reported as invalid") {
        auto [a, b] = socket_t::pair();
        const int number = a.fileno();
        a.close();
        if (kernel_keeps_the_set()) {
            try {
                watch(number, reads);
                FAIL("it was not refused");
            } catch (const std::system_error& refusal) {
                CHECK(refusal.code() == std::errc::bad_file_descriptor);
            }
            CHECK(wait().empty());
        } else {
            watch(number, reads);
            CHECK(wait() == answer{{number, events::invalid}});
            CHECK(wait(std::nullopt) == answer{{number, events::invalid}});
            watch(number, none);
        }
        // Either way it is nothing to the next one with this number.
        const auto again = duplicate(b.fileno(), number);
        REQUIRE(again.get() == number);
        watch(again, writes | reads);
        CHECK(wait() == answer{{number, reads | writes | hangup}});
    }

    TEST_CASE_FIXTURE(fixture, "a descriptor closed behind its back") {
        auto [a, b] = socket_t::pair();
        auto [c, d] = socket_t::pair();
        d.send("x");
        const int number = a.fileno();
        watch(a, reads | writes);
        watch(c, reads);
        a.close();
        // epoll and kqueue drop it without a word; select and poll say so; nobody forgets the rest.
        auto expected = answer{{c.fileno(), reads}};
        if (!kernel_keeps_the_set()) expected[number] = events::invalid;
        CHECK(wait() == expected);
        CHECK(wait(std::nullopt) == expected);
        CHECK_NOTHROW(watch(number, none));
        CHECK(wait() == answer{{c.fileno(), reads}});
    }

    TEST_CASE_FIXTURE(fixture, "and its number used again") {
        auto [a, b] = socket_t::pair();
        auto [c, d] = socket_t::pair();
        const int number = a.fileno();
        watch(a, writes);
        bool forgotten = false;
        SUBCASE("forgotten when it was closed") { watch(a, none), forgotten = true; }
        SUBCASE("forgotten by nobody") {}
        a.close();
        const auto again = duplicate(c.fileno(), number);
        REQUIRE(again.get() == number);
        if (forgotten) CHECK(wait().empty());
        watch(again, reads);
        CHECK(wait().empty());
        d.send("x");
        CHECK(wait() == answer{{number, reads}});
        watch(again, none);
        CHECK(wait().empty());
    }

    TEST_CASE_FIXTURE(fixture, "closed behind its back, while a duplicate keeps the file open") {
        auto [a, b] = socket_t::pair();
        auto [c, d] = socket_t::pair();
        const int number = a.fileno();
        const auto twin = duplicate(number, 0);
        watch(a, reads);
        watch(c, reads);
        a.close();
        b.send("x");  // which the twin can read
        unique_fd again;
        SUBCASE("forgotten after that") {
            watch(number, none);
            CHECK(wait().empty());
            CHECK(wait(20ms).empty());
        }
        SUBCASE("and its number used again") {
            again = duplicate(c.fileno(), number);
            REQUIRE(again.get() == number);
            watch(again, reads);
            CHECK(wait().empty());
        }
        SUBCASE("forgotten, and its number used again") {
            watch(number, none);
            again = duplicate(c.fileno(), number);
            REQUIRE(again.get() == number);
            watch(again, reads);
            CHECK(wait().empty());
        }
        d.send("x");
        auto expected = answer{{c.fileno(), reads}};
        if (again.get() >= 0) expected[number] = reads;
        CHECK(wait() == expected);
    }

    TEST_CASE_FIXTURE(fixture, "and its file comes back under its number") {
        auto [a, b] = socket_t::pair();
        auto twin = duplicate(a.fileno(), 200);  // no number that a poller takes for its own
        const int number = twin.get();
        watch(twin, writes);
        twin.reset();
        watch(number, none);
        CHECK(wait().empty());
        const auto again = duplicate(a.fileno(), number);
        REQUIRE(again.get() == number);
        watch(again, reads);
        CHECK(wait().empty());
        b.send("x");
        CHECK(wait() == answer{{number, reads}});
        watch(again, none);
        CHECK(wait().empty());
    }

    TEST_CASE_FIXTURE(fixture, "in whatever order of their numbers") {
        auto [a, b] = socket_t::pair();
        const auto high = duplicate(b.fileno(), 200), higher = duplicate(b.fileno(), 300);
        watch(higher, writes);
        watch(a, writes);
        watch(high, writes);
        CHECK(wait() == answer{{a.fileno(), writes}, {high.get(), writes}, {higher.get(), writes}});
        watch(higher, none);
        CHECK(wait() == answer{{a.fileno(), writes}, {high.get(), writes}});
        watch(a, none);
        CHECK(wait() == answer{{high.get(), writes}});
        watch(high, none);
        CHECK(wait().empty());
    }

    TEST_CASE_FIXTURE(fixture, "duplicates are descriptors of their own") {
        auto [a, b] = socket_t::pair();
        auto twin = duplicate(a.fileno(), 0);
        watch(a, reads);
        watch(twin, writes);
        CHECK(wait() == answer{{twin.get(), writes}});
        b.send("x");
        CHECK(wait() == answer{{a.fileno(), reads}, {twin.get(), writes}});
        watch(twin, none);
        CHECK(wait() == answer{{a.fileno(), reads}});
        watch(twin, reads);
        const int number = a.fileno();
        watch(a, none);  // before it is closed: the twin keeps the file open
        a.close();
        CHECK(wait() == answer{{twin.get(), reads}});
        CHECK_NOTHROW(watch(number, none));
        CHECK(wait() == answer{{twin.get(), reads}});
    }

    TEST_CASE_FIXTURE(fixture, "the same descriptor by two pollers") {
        fixture other;
        auto [a, b] = socket_t::pair();
        watch(a, writes);
        CHECK(other.wait().empty());
        other.watch(a, reads);
        CHECK(wait() == answer{{a.fileno(), writes}});
        CHECK(other.wait().empty());
        other.watch(a, none);
        CHECK(wait() == answer{{a.fileno(), writes}});
    }

    TEST_CASE_FIXTURE(fixture, "numbers beyond FD_SETSIZE") {
        support::raise_descriptor_limit(FD_SETSIZE + 100);
        pipe_ends ends;
        put(ends.write.get(), "x");
        const auto last = duplicate(ends.read.get(), FD_SETSIZE - 1);
        const auto beyond = duplicate(ends.read.get(), FD_SETSIZE);
        REQUIRE(last.get() == FD_SETSIZE - 1);
        REQUIRE(beyond.get() == FD_SETSIZE);
        watch(last, reads);
        CHECK(wait() == answer{{last.get(), reads}});
        if (is("select")) {
            for (const auto interest : {reads, writes, priority, all})
                CHECK_THROWS_WITH_AS(watch(beyond, interest),
                                     "descriptor 1024 is out of range in select()",
                                     std::invalid_argument);
            CHECK_THROWS_AS(watch(std::numeric_limits<int>::max(), reads), std::invalid_argument);
            CHECK_NOTHROW(watch(beyond, none));
            CHECK(wait() == answer{{last.get(), reads}});
            return;
        }
        watch(beyond, reads);
        CHECK(wait() == answer{{last.get(), reads}, {beyond.get(), reads}});
        watch(last, none);
        CHECK(wait() == answer{{beyond.get(), reads}});
    }
}

TEST_SUITE("time") {
    TEST_CASE_FIXTURE(fixture, "nothing ready: not before the time-out, however short") {
        auto [a, b] = socket_t::pair();
        SUBCASE("something is watched") { watch(a, reads); }
        SUBCASE("nothing is") {}
        for (const auto limit : {0ns, 1ns, 999ns, 100'000ns, 1'000'001ns, 20'000'000ns}) {
            CAPTURE(limit.count());
            const auto start = clock_type::now();
            CHECK(wait(limit).empty());
            CHECK(clock_type::now() - start >= limit);
        }
    }

    TEST_CASE_FIXTURE(fixture, "something ready: at once, whatever the time-out") {
        auto [a, b] = socket_t::pair();
        watch(a, writes);
        for (const timeout& limit : {timeout(0.0), timeout(1e6), timeout(std::nullopt)})
            CHECK(wait(limit) == answer{{a.fileno(), writes}});
    }

    TEST_CASE_FIXTURE(fixture, "no time-out: until something is ready") {
        auto [a, b] = socket_t::pair();
        watch(a, reads);
        std::thread sender([&b = b] { b.send("x"); });
        CHECK(wait(std::nullopt) == answer{{a.fileno(), reads}});
        sender.join();
    }

    TEST_CASE_FIXTURE(fixture, "signals neither end a wait nor prolong it") {
        auto [a, b] = socket_t::pair();
        watch(a, reads);
        count_of_alarms = 0;
        const alarms every_millisecond([](int) { count_of_alarms = count_of_alarms + 1; });
        const auto start = clock_type::now();
        CHECK(wait(0.05).empty());
        CHECK(clock_type::now() - start >= 50ms);
        CHECK(count_of_alarms > 0);
    }

    TEST_CASE_FIXTURE(fixture, "nor a wait without end") {
        pipe_ends ends;
        watch(ends.read, reads);
        count_of_alarms = 0;
        written_to_at_fifth = ends.write.get();
        const alarms every_millisecond([](int) {
            count_of_alarms = count_of_alarms + 1;
            if (count_of_alarms == 5) static_cast<void>(!::write(written_to_at_fifth, "x", 1));
        });
        CHECK(wait(std::nullopt) == answer{{ends.read.get(), reads}});
        CHECK(count_of_alarms >= 5);
    }
}

TEST_SUITE("the process") {
    TEST_CASE("a poller's own descriptors are close-on-exec, and go with it") {
        const auto before = open_descriptors();
        {
            const fixture here;
            const auto now = open_descriptors();
            CHECK(now.size() == before.size() + (here.kernel_keeps_the_set() ? 1 : 0));
            for (const int fd : now)
                if (std::find(before.begin(), before.end(), fd) == before.end())
                    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        }
        CHECK(open_descriptors() == before);
    }

    TEST_CASE("a wait that cannot work throws") {
        const auto before = open_descriptors();
        fixture here;
        if (!here.kernel_keeps_the_set()) return;
        const auto now = open_descriptors();
        REQUIRE(now.size() == before.size() + 1);
        int own = now.back();
        for (std::size_t i = 0; i < before.size(); ++i)
            if (now[i] != before[i]) {
                own = now[i];
                break;
            }
        REQUIRE(::close(own) == 0);
        CHECK_THROWS_AS(here.wait(), std::system_error);
        REQUIRE(::open("/dev/null", O_RDONLY) == own);  // for the poller to close
        CHECK_THROWS_AS(here.wait(), std::system_error);
    }

    TEST_CASE("a poller that cannot be made throws, or one that cannot wait") {
        CHECK(in_child([] {
            ::alarm(30);  // rather than for ever
            const bool needs_one = fixture().kernel_keeps_the_set();
            // The stand-in for kevent(2) waits by poll(2).
            const bool counts = fixture().is("poll"), perhaps = fixture().is("kqueue");
            std::vector<pipe_ends> pipes(10);
            fixture here;
            for (const auto& each : pipes) here.watch(each.read, reads);
            const rlimit few{5, 5};
            if (::setrlimit(RLIMIT_NOFILE, &few) < 0) return false;
            const auto throws = [](auto call) {
                try {
                    call();
                    return false;
                } catch (const std::system_error&) {
                    return true;
                }
            };
            // poll(2) refuses more entries than there may be descriptors.
            return throws([] { fixture(); }) == needs_one &&
                   (throws([&] { here.wait(); }) == counts || perhaps);
        }));
    }

    TEST_CASE("forks are counted") {
        const auto before = fork_count();
        CHECK(in_child([before] {
            if (fork_count() != before + 1) return false;
            return in_child([before] { return fork_count() == before + 2; });
        }));
        CHECK(fork_count() == before);
    }

    TEST_CASE_FIXTURE(fixture, "a child with a poller of its own leaves its parent's alone") {
        auto [a, b] = socket_t::pair();
        watch(a, writes);
        CHECK(in_child([this, &a = a] {
            fixture own;
            own.watch(a, writes);
            own.watch(a, none);
            // The old one goes, and takes no descriptor with it that is another's by now.
            std::vector<unique_fd> others;
            for (int i = 0; i < 10; ++i) others.push_back(duplicate(a.fileno(), 0));
            waiter.reset();
            for (const auto& each : others)
                if (::fcntl(each.get(), F_GETFD) < 0) return false;
            own.watch(a, writes);
            return own.wait() == answer{{a.fileno(), writes}};
        }));
        CHECK(wait() == answer{{a.fileno(), writes}});
    }
}

TEST_SUITE("by name") {
    TEST_CASE("every mechanism of this system") {
        for (const auto name : poller_names()) CHECK(make_poller(name)->name() == name);
        CHECK(poller_names().size() >= 2);
    }

    TEST_CASE("what is none is refused") {
        for (const auto name : {"magic", "EPOLL", "poll ", " poll", "pol", "devpoll"}) {
            try {
                make_poller(name);
                FAIL("there is a poller of the name " << name);
            } catch (const std::invalid_argument& refusal) {
                const std::string text = refusal.what();
                CHECK(text.find(name) != text.npos);
                for (const auto known : poller_names()) CHECK(text.find(known) != text.npos);
            }
        }
    }

    TEST_CASE("the environment's, or else the best") {
        for (const auto name : poller_names()) {
            const environment here(std::string(name).c_str());
            CHECK(make_poller()->name() == name);
            CHECK(make_poller("poll")->name() == "poll");
        }
        {
            const environment empty("");
            CHECK(make_poller()->name() == poller_names().front());
        }
        const environment wrong("magic");
        CHECK_THROWS_AS(make_poller(), std::invalid_argument);
    }
}
