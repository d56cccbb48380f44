// platform/poller.hpp: what a descriptor is ready for, in some thirty situations.  The kernel
// decides what that is; these tests hold all mechanisms to the same answer.
#include "pollers.hpp"
#include "sockets.hpp"

#include <asyncore/platform/poller.hpp>
#include <asyncore/platform/socket.hpp>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using namespace support;
using socket_t = asyncore::platform::socket;

namespace {

constexpr events unasked = error | hangup | events::invalid;

/// A descriptor in some state, and the other descriptors that keep it there.
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

struct situation {
    std::string name;
    events sides;     // the events that such a descriptor can have
    events expected;  // what is reported for an interest in all of `sides`
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
    {"a socket whose peer has closed: hang-up", all, reads | writes | hangup,
     [](state& s) { s.watch_first(socket_t::pair()).close(); }},
    {"a socket whose peer has half-closed", all, reads | writes,
     [](state& s) {
         s.watch_first(tcp_pair()).shutdown(SHUT_WR);
         until(s.fd, POLLIN);
     }},
    {"a socket that has half-closed", all, writes,
     [](state& s) {
         s.watch_first(tcp_pair());
         s.sockets[0].shutdown(SHUT_WR);
     }},
    {"a socket that has half-closed, and so has its peer: hang-up", all, reads | writes | hangup,
     [](state& s) {
         auto& peer = s.watch_first(tcp_pair());
         s.sockets[0].shutdown(SHUT_WR);
         peer.shutdown(SHUT_WR);
         until(s.fd, POLLHUP);
     }},
    {"a socket with bytes to read, whose peer has half-closed", all, reads | writes,
     [](state& s) {
         auto& peer = s.watch_first(tcp_pair());
         peer.send("x");
         peer.shutdown(SHUT_WR);
         until(s.fd, POLLIN);
     }},
    {"a socket reset by its peer", all, reads | writes | error | hangup,
     [](state& s) {
         support::reset(s.watch_first(tcp_pair()));
         until(s.fd, POLLERR);
     }},
    {"a socket with an out-of-band byte", all, writes | priority,
     [](state& s) {
         s.watch_first(tcp_pair()).send("!", MSG_OOB);
         until(s.fd, POLLPRI);
     }},
    {"a socket with bytes and an out-of-band byte", all, reads | writes | priority,
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
         socket_t silent(AF_INET, SOCK_STREAM), client(AF_INET, SOCK_STREAM);
         silent.bind({support::HOST, 0});  // and it does not listen
         REQUIRE(client.connect_ex(silent.getsockname()) == EINPROGRESS);
         s.watch(std::move(client));
         s.keep(std::move(silent));
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
    {"a pipe whose writer has closed: hang-up", reads | priority, hangup,
     [](state& s) { s.watch(std::move(pipe_ends().read)); }},
    {"a pipe with bytes, whose writer has closed: hang-up", reads | priority, reads | hangup,
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
    {"a pipe whose reader has closed", writes | priority, writes | error,
     [](state& s) { s.watch(std::move(pipe_ends().write)); }},
    {"a full pipe whose reader has closed", writes | priority, error,
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

}  // namespace

TEST_CASE_FIXTURE(polling,
                  "poller: every mechanism reports the same readiness in every situation") {
    for (const auto& each : situations) {
        for (const auto interest : combinations) {
            if (interest == none || (interest & each.sides) != interest) continue;
            INFO(each.name);
            CAPTURE(interest);
            state here;
            each.make(here);
            auto expected = each.expected & (interest | unasked);
            watch(here.fd, interest);
            for (int turn = 0; turn < 2; ++turn) {  // level-triggered: twice the same
                const auto found = wait();
                CHECK(found.size() == (found.count(here.fd) ? 1 : 0));
                auto what = found.count(here.fd) ? found.at(here.fd) : none;
                // With an interest in out-of-band data alone, a poller may report nothing else.
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
