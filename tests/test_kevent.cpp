// The stand-in for kevent(2), held against the manual page.  Most cases quote the sentence that they
// are about, from FreeBSD's page.  On a system with a kqueue of its own the same cases ask the kernel.
#include "support.hpp"

#include <asyncore/platform/socket.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sys/event.h>

#include <doctest/doctest.h>

using socket_t = asyncore::platform::socket;
using asyncore::platform::unique_fd;
using support::pipe_ends;
using support::tcp_pair;
using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

using entry = struct ::kevent;

entry change(int fd, int filter, unsigned flags, unsigned fflags = 0, void* udata = nullptr) {
    entry made{};
    made.ident = static_cast<decltype(made.ident)>(fd);
    made.filter = static_cast<decltype(made.filter)>(filter);
    made.flags = static_cast<decltype(made.flags)>(flags);
    made.fflags = fflags;
    made.udata = udata;
    return made;
}

constexpr timespec none{0, 0};

class queue {
public:
    queue() : fd(::kqueue()) { REQUIRE(fd.get() >= 0); }

    /// Applies changes.  Returns: 0 or the errno.
    int apply(std::vector<entry> changes) {
        return ::kevent(fd.get(), changes.data(), static_cast<int>(changes.size()), nullptr, 0,
                        nullptr) == 0
                   ? 0
                   : errno;
    }
    int apply(int ident, int filter, unsigned flags, unsigned fflags = 0) {
        return apply({change(ident, filter, flags, fflags)});
    }

    std::vector<entry> events(std::size_t room = 16, timespec limit = none) {
        std::vector<entry> found(room);
        const int count =
            ::kevent(fd.get(), nullptr, 0, found.data(), static_cast<int>(room), &limit);
        REQUIRE(count >= 0);
        found.resize(static_cast<std::size_t>(count));
        return found;
    }
    /// The one event that there is.
    entry event() {
        const auto all = events();
        REQUIRE(all.size() == 1);
        return all[0];
    }
    std::size_t count() { return events().size(); }

    unique_fd fd;
};

void take(int fd, std::size_t size) {
    std::string data(size, '\0');
    REQUIRE(::read(fd, data.data(), size) == static_cast<ssize_t>(size));
}

}  // namespace

// "A kevent is identified by the (ident, filter) pair"
TEST_CASE("kevent: a descriptor has one registration for each filter") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), EVFILT_READ, EV_ADD) == 0);
    CHECK(kq.count() == 0);
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_ADD) == 0);
    CHECK(kq.event().filter == EVFILT_WRITE);
    b.send("x");
    const auto all = kq.events();
    REQUIRE(all.size() == 2);
    CHECK(all[0].ident == all[1].ident);
    CHECK(all[0].filter + all[1].filter == EVFILT_READ + EVFILT_WRITE);
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_DELETE) == 0);
    CHECK(kq.event().filter == EVFILT_READ);
}

// "there may only be one unique kevent per kqueue"; "Re-adding an existing event will modify the
// parameters of the original event"
TEST_CASE("kevent: adding a registration again modifies it") {
    queue kq;
    auto [a, b] = socket_t::pair();
    int one = 1, two = 2;
    CHECK(kq.apply({change(a.fileno(), EVFILT_WRITE, EV_ADD, 0, &one),
                    change(a.fileno(), EVFILT_WRITE, EV_ADD, 0, &two)}) == 0);
    CHECK(kq.event().udata == &two);  // "passed through the kernel unchanged"
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_DELETE) == 0);
    CHECK(kq.count() == 0);
}

// "executed upon the initial registration of a kevent in order to detect whether a preexisting
// condition is present"
TEST_CASE("kevent: what is ready before it is added is reported") {
    queue kq;
    auto [a, b] = socket_t::pair();
    b.send("x");
    CHECK(kq.apply(a.fileno(), EVFILT_READ, EV_ADD) == 0);
    CHECK(kq.event().data == 1);
}

// "Adding an event automatically enables it, unless overridden by the EV_DISABLE flag."
TEST_CASE("kevent: EV_DISABLE silences a registration and EV_ENABLE or EV_ADD restores it") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_ADD | EV_DISABLE) == 0);
    CHECK(kq.count() == 0);
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_ENABLE) == 0);
    CHECK(kq.count() == 1);
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_DISABLE) == 0);
    CHECK(kq.count() == 0);
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_ADD) == 0);
    CHECK(kq.count() == 1);
}

// EV_ONESHOT: "return only the first occurrence of the filter being triggered.  After the user
// retrieves the event from the kqueue, it is deleted."
TEST_CASE("kevent: EV_ONESHOT reports one event and deletes the registration") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_ADD | EV_ONESHOT) == 0);
    CHECK(kq.count() == 1);
    CHECK(kq.count() == 0);
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_ENABLE) == ENOENT);
}

// EV_DISPATCH: "Disable the event source immediately after delivery of an event."
TEST_CASE("kevent: EV_DISPATCH reports one event and disables the registration") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_ADD | EV_DISPATCH) == 0);
    CHECK(kq.count() == 1);
    CHECK(kq.count() == 0);
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_ENABLE) == 0);
    CHECK(kq.count() == 1);
}

// "All changes contained in the changelist are applied before any pending events are read from the
// queue."
TEST_CASE("kevent: changes are applied before events are read") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_ADD) == 0);
    const auto remove = change(a.fileno(), EVFILT_WRITE, EV_DELETE);
    entry found{};
    CHECK(::kevent(kq.fd.get(), &remove, 1, &found, 1, &none) == 0);
}

// "The same array may be used for the changelist and eventlist."
TEST_CASE("kevent: changelist and eventlist may be the same array") {
    queue kq;
    auto [a, b] = socket_t::pair();
    std::array both{change(a.fileno(), EVFILT_WRITE, EV_ADD),
                    change(b.fileno(), EVFILT_WRITE, EV_ADD)};
    CHECK(::kevent(kq.fd.get(), both.data(), 2, both.data(), 2, &none) == 2);
    CHECK(both[0].ident + both[1].ident ==
          static_cast<std::uintptr_t>(a.fileno()) + static_cast<std::uintptr_t>(b.fileno()));
    CHECK((both[0].flags & EV_ERROR) == 0);
    CHECK(both[0].data > 0);
}

// "[ENOENT] The event could not be found to be modified or deleted."
TEST_CASE("kevent: modifying or deleting an unknown registration is ENOENT") {
    queue kq;
    auto [a, b] = socket_t::pair();
    for (const auto flag : {EV_DELETE, EV_ENABLE, EV_DISABLE})
        CHECK(kq.apply(a.fileno(), EVFILT_READ, static_cast<unsigned>(flag)) == ENOENT);
    CHECK(kq.apply(a.fileno(), EVFILT_READ, EV_ADD) == 0);
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_DELETE) == ENOENT);
}

// "[EBADF] The specified descriptor is invalid."
TEST_CASE("kevent: a closed descriptor or a descriptor that is no queue is EBADF") {
    queue kq;
    auto [a, b] = socket_t::pair();
    const int gone = a.fileno();
    a.close();
    CHECK(kq.apply(gone, EVFILT_READ, EV_ADD) == EBADF);
    CHECK(kq.apply(gone, EVFILT_READ, EV_DELETE) == EBADF);
    CHECK(kq.apply(-1, EVFILT_READ, EV_ADD) == EBADF);
    entry found{};
    CHECK(::kevent(gone, nullptr, 0, &found, 1, &none) == -1);
    CHECK(errno == EBADF);
    CHECK(::kevent(b.fileno(), nullptr, 0, &found, 1, &none) == -1);  // it is not a queue
    CHECK(errno == EBADF);
    const int closed = kq.fd.get();
    kq.fd.reset();
    CHECK(::kevent(closed, nullptr, 0, &found, 1, &none) == -1);
    CHECK(errno == EBADF);
}

// "[EINVAL] The specified time limit or filter is invalid."
TEST_CASE("kevent: an invalid time limit or filter is EINVAL") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), 77, EV_ADD) == EINVAL);
    for (const timespec limit : {timespec{-1, 0}, timespec{0, -1}, timespec{0, 1000000000}}) {
        entry found{};
        CHECK(::kevent(kq.fd.get(), nullptr, 0, &found, 1, &limit) == -1);
        CHECK(errno == EINVAL);
    }
}

// "If an error occurs while processing an element of the changelist and there is enough room in the
// eventlist, then the event will be placed in the eventlist with EV_ERROR set in flags and the
// system error in data."
TEST_CASE("kevent: errors of changes are put into the eventlist as EV_ERROR") {
    queue kq;
    auto [a, b] = socket_t::pair();
    std::vector changes{change(a.fileno(), EVFILT_READ, EV_DELETE),
                        change(a.fileno(), EVFILT_WRITE, EV_ADD), change(-1, EVFILT_READ, EV_ADD)};
    std::vector<entry> found(4);
    // Only errors are returned, though an event is pending and there is room for it.
    REQUIRE(::kevent(kq.fd.get(), changes.data(), 3, found.data(), 4, nullptr) == 2);
    CHECK((found[0].flags & EV_ERROR) != 0);
    CHECK(found[0].data == ENOENT);
    CHECK(found[0].ident == static_cast<std::uintptr_t>(a.fileno()));
    CHECK(found[0].filter == EVFILT_READ);
    CHECK(found[1].data == EBADF);
    CHECK(kq.count() == 1);
}

// "Otherwise, -1 will be returned, and errno will be set to indicate the error condition."
TEST_CASE("kevent: without room in the eventlist the first error ends the call") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply({change(a.fileno(), EVFILT_WRITE, EV_ADD),
                    change(a.fileno(), EVFILT_READ, EV_DELETE),
                    change(b.fileno(), EVFILT_WRITE, EV_ADD)}) == ENOENT);
    // The first change was applied.
    CHECK(kq.event().ident == static_cast<std::uintptr_t>(a.fileno()));
}

// EV_RECEIPT: "useful for making bulk changes to a kqueue without draining any pending events.
// When passed as input, it forces EV_ERROR to always be returned."
TEST_CASE("kevent: EV_RECEIPT answers each change and returns no events") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_ADD) == 0);
    std::vector changes{change(b.fileno(), EVFILT_READ, EV_ADD | EV_RECEIPT),
                        change(b.fileno(), EVFILT_WRITE, EV_DELETE | EV_RECEIPT)};
    std::vector<entry> found(4);
    REQUIRE(::kevent(kq.fd.get(), changes.data(), 2, found.data(), 4, nullptr) == 2);
    CHECK((found[0].flags & EV_ERROR) != 0);
    CHECK(found[0].data == 0);  // "When a filter is successfully added the data field will be zero"
    CHECK((found[1].flags & EV_ERROR) != 0);
    CHECK(found[1].data == ENOENT);
}

// EV_RECEIPT with "no remaining space in eventlist": "subsequent changes will not get processed"
TEST_CASE("kevent: EV_RECEIPT without room leaves the later changes undone") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply({change(a.fileno(), EVFILT_WRITE, EV_ADD | EV_RECEIPT),
                    change(b.fileno(), EVFILT_WRITE, EV_ADD)}) == 0);
    CHECK(kq.event().ident == static_cast<std::uintptr_t>(a.fileno()));
}

TEST_CASE("kevent: the stand-in refuses what it cannot do" *
          doctest::skip(!std::filesystem::exists("/proc/self/fd"))) {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), EVFILT_READ, EV_ADD | EV_CLEAR) == EINVAL);
    auto low_water = change(a.fileno(), EVFILT_READ, EV_ADD, NOTE_LOWAT);
    low_water.data = 2;
    CHECK(kq.apply({low_water}) == EINVAL);
}

// "If the filter indicates that the condition that triggered the event no longer holds, the kevent
// is removed from the kqueue and is not returned."
TEST_CASE("kevent: level-triggered: what was read since is not reported") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), EVFILT_READ, EV_ADD) == 0);
    b.send("x");
    take(a.fileno(), 1);
    CHECK(kq.count() == 0);
}

// "the filter will aggregate the events into a single struct kevent"
TEST_CASE("kevent: level-triggered: several writes are one event until they are read") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), EVFILT_READ, EV_ADD) == 0);
    b.send("x");
    b.send("yz");
    CHECK(kq.event().data == 3);
    CHECK(kq.event().data == 3);  // without EV_CLEAR it is reported until it is read
    take(a.fileno(), 3);
    CHECK(kq.count() == 0);
}

// "When nevents is zero, kevent() will return immediately"
TEST_CASE("kevent: with no room for events the call returns at once") {
    queue kq;
    CHECK(::kevent(kq.fd.get(), nullptr, 0, nullptr, 0, nullptr) == 0);
}

// "If the time limit expires, then kevent() returns 0."
TEST_CASE("kevent: a wait whose time limit expires returns 0") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), EVFILT_READ, EV_ADD) == 0);
    const auto start = clock_type::now();
    CHECK(kq.events(1, {0, 20000000}).empty());
    CHECK(clock_type::now() - start >= 20ms);
}

// "When kevent() call fails with EINTR error, all changes in the changelist have been applied."
TEST_CASE("kevent: EINTR ends a wait after all changes have been applied") {
    queue kq;
    auto [a, b] = socket_t::pair();
    struct sigaction action {
    }, before{};
    action.sa_handler = [](int) {};
    REQUIRE(::sigaction(SIGALRM, &action, &before) == 0);
    // Repeated, because the first signal may come before the wait.
    itimerval every{{0, 1000}, {0, 1000}}, off{};
    REQUIRE(::setitimer(ITIMER_REAL, &every, nullptr) == 0);
    const auto add = change(a.fileno(), EVFILT_READ, EV_ADD);
    entry found{};
    const int count = ::kevent(kq.fd.get(), &add, 1, &found, 1, nullptr);
    const int error = errno;
    ::setitimer(ITIMER_REAL, &off, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
    CHECK(count == -1);
    CHECK(error == EINTR);
    CHECK(kq.apply(a.fileno(), EVFILT_READ, EV_DELETE) == 0);
}

// "the number of events placed in the eventlist, up to the value given by nevents"
TEST_CASE("kevent: fairness: events without room are returned by the next calls") {
    queue kq;
    std::vector<std::pair<socket_t, socket_t>> pairs;
    for (int i = 0; i < 10; ++i) {
        pairs.push_back(socket_t::pair());
        CHECK(kq.apply(pairs.back().first.fileno(), EVFILT_WRITE, EV_ADD) == 0);
    }
    std::map<std::uintptr_t, int> times;
    for (int i = 0; i < 5; ++i) {
        const auto some = kq.events(4);
        CHECK(some.size() == 4);
        for (const auto& each : some) ++times[each.ident];
    }
    CHECK(times.size() == 10);
    for (const auto& [fd, count] : times) CHECK(count == 2);
}

// "Calling close() on a file descriptor will remove any kevents that reference the descriptor."
TEST_CASE("kevent: descriptor reuse: close() removes the registrations of a descriptor") {
    queue kq;
    auto [a, b] = socket_t::pair();
    const int number = a.fileno();
    CHECK(kq.apply({change(number, EVFILT_READ, EV_ADD), change(number, EVFILT_WRITE, EV_ADD)}) ==
          0);
    CHECK(kq.count() == 1);
    auto [c, d] = socket_t::pair();
    a.close();
    CHECK(kq.count() == 0);

    // Another file gets the number.
    unique_fd again(::fcntl(c.fileno(), F_DUPFD, number));
    REQUIRE(again.get() == number);
    CHECK(kq.count() == 0);
    CHECK(kq.apply(number, EVFILT_READ, EV_DELETE) == ENOENT);
    CHECK(kq.apply(number, EVFILT_READ, EV_ADD) == 0);
    CHECK(kq.apply(number, EVFILT_WRITE, EV_DELETE) == ENOENT);
    d.send("x");
    CHECK(kq.event().filter == EVFILT_READ);
}

TEST_CASE("kevent: descriptor reuse: another file under the number has no registration") {
    queue kq;
    auto [a, b] = socket_t::pair();
    auto [c, d] = socket_t::pair();
    const int number = a.fileno();
    CHECK(kq.apply(number, EVFILT_WRITE, EV_ADD) == 0);
    REQUIRE(::dup2(c.fileno(), number) == number);
    SUBCASE("kevent: waiting after descriptor reuse") { CHECK(kq.count() == 0); }
    SUBCASE("kevent: adding another filter after descriptor reuse") {
        CHECK(kq.apply(number, EVFILT_READ, EV_ADD) == 0);
        CHECK(kq.count() == 0);
    }
    SUBCASE("kevent: deleting after descriptor reuse") {
        CHECK(kq.apply(number, EVFILT_WRITE, EV_DELETE) == ENOENT);
    }
}

TEST_CASE("kevent: a duplicate does not keep the registration of a closed number") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_ADD) == 0);
    const unique_fd twin(::dup(a.fileno()));
    CHECK(kq.count() == 1);
    a.close();
    CHECK(kq.count() == 0);
    CHECK(kq.apply(twin.get(), EVFILT_WRITE, EV_DELETE) == ENOENT);
}

// "The queue is not inherited by a child created with fork(2)."
TEST_CASE("fork: a child does not inherit a kqueue") {
    queue kq;
    auto [a, b] = socket_t::pair();
    CHECK(kq.apply(a.fileno(), EVFILT_WRITE, EV_ADD) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        entry found{};
        const bool gone =
            ::kevent(kq.fd.get(), nullptr, 0, &found, 1, &none) == -1 && errno == EBADF;
        ::_exit(gone && ::fcntl(kq.fd.get(), F_GETFD) < 0 ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(kq.count() == 1);
}

TEST_CASE("kevent: a queue is a descriptor and its number can be reused") {
    queue kq;
    CHECK(::fcntl(kq.fd.get(), F_SETFD, FD_CLOEXEC) == 0);
    CHECK(::fcntl(kq.fd.get(), F_GETFD) == FD_CLOEXEC);
    const int number = kq.fd.get();
    kq.fd.reset();
    kq.fd.reset(::kqueue());
    CHECK(kq.fd.get() == number);
    CHECK(kq.count() == 0);
}

TEST_CASE("kevent: two queues are independent") {
    queue one, two;
    auto [a, b] = socket_t::pair();
    CHECK(one.apply(a.fileno(), EVFILT_WRITE, EV_ADD) == 0);
    CHECK(two.apply(a.fileno(), EVFILT_WRITE, EV_DELETE) == ENOENT);
    CHECK(two.count() == 0);
    CHECK(one.count() == 1);
}

// "Sockets which have previously been passed to listen() return when there is an incoming
// connection pending.  data contains the size of the listen backlog."
TEST_CASE("kevent: a listener is readable when a connection waits") {
    queue kq;
    socket_t server(AF_INET, SOCK_STREAM), one(AF_INET, SOCK_STREAM), two(AF_INET, SOCK_STREAM);
    server.bind({"127.0.0.1", 0});
    server.listen(5);
    CHECK(kq.apply(server.fileno(), EVFILT_READ, EV_ADD) == 0);
    CHECK(kq.count() == 0);
    for (auto* each : {&one, &two}) {
        each->setblocking(true);
        REQUIRE(each->connect_ex(server.getsockname()) == 0);
    }
    CHECK(kq.event().data == 2);
    CHECK((kq.event().flags & EV_EOF) == 0);
}

// "subject to the SO_RCVLOWAT value of the socket buffer"
TEST_CASE("kevent: SO_RCVLOWAT decides when a socket is readable") {
    queue kq;
    auto [a, b] = tcp_pair();
    a.setsockopt(SOL_SOCKET, SO_RCVLOWAT, 3);
    CHECK(kq.apply(a.fileno(), EVFILT_READ, EV_ADD) == 0);
    b.send("xy");
    CHECK(kq.events(1, {0, 20000000}).empty());
    b.send("z");
    CHECK(kq.events(1, {10, 0}).size() == 1);
}

// "If the read direction of the socket has shutdown, then the filter also sets EV_EOF in flags";
// "It is possible for EOF to be returned (indicating the connection is gone) while there is still
// data pending in the socket buffer."
TEST_CASE("kevent: half-close: EV_EOF is set while there are still bytes to read") {
    auto [a, b] = tcp_pair();
    queue kq;
    CHECK(kq.apply(a.fileno(), EVFILT_READ, EV_ADD) == 0);
    b.send("xy");
    b.shutdown(SHUT_WR);
    const auto event = kq.event();
    CHECK(event.data == 2);
    CHECK((event.flags & EV_EOF) != 0);
}
