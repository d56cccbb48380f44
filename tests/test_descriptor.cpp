// platform/descriptor.hpp: what the kernel knows about a descriptor.
#include "sockets.hpp"
#include "support.hpp"

#include <asyncore/platform/descriptor.hpp>
#include <asyncore/platform/socket.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <chrono>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using socket_t = asyncore::platform::socket;

namespace {

constexpr int no_descriptor = 1 << 20;

}  // namespace

TEST_CASE("descriptor: is_open() is true until the descriptor is closed") {
    auto file = support::dev_null();
    const int fd = file.get();
    CHECK(is_open(fd));
    file.reset();
    CHECK(!is_open(fd));
}

TEST_CASE("descriptor: unread_bytes() counts what can be read at once") {
    auto [a, b] = socket_t::pair();
    CHECK(unread_bytes(a.fileno()) == 0);
    b.send("spam");
    CHECK(unread_bytes(a.fileno()) == 4);
    CHECK(unread_bytes(support::dev_null().get()) == 0);
    CHECK(unread_bytes(no_descriptor) == 0);
}

TEST_CASE("descriptor: is_file_or_device() is true for what is always ready") {
    const unique_fd folder(::open("/", O_RDONLY | O_DIRECTORY));
    const unique_fd file(::open("/proc/self/exe", O_RDONLY));
    const support::pipe_ends ends;
    CHECK(is_file_or_device(folder.get()));
    CHECK(is_file_or_device(support::dev_null().get()));
    if (file.get() >= 0) CHECK(is_file_or_device(file.get()));
    CHECK(!is_file_or_device(ends.read.get()));
    CHECK(!is_file_or_device(socket_t::pair().first.fileno()));
    CHECK(!is_file_or_device(no_descriptor));
}

TEST_CASE("descriptor: a listener, a connection and a socket of datagrams are told apart") {
    const auto listener = support::listener();
    const auto client = support::client_of(listener);
    const socket_t fresh(AF_INET, SOCK_STREAM), datagrams(AF_INET, SOCK_DGRAM);
    const support::pipe_ends ends;
    struct {
        int fd;
        bool listens, has_peer, is_datagram, is_unconnected;
    } const cases[] = {
        {listener.fileno(), true, false, false, true},
        {client.fileno(), false, true, false, false},
        {fresh.fileno(), false, false, false, true},
        {datagrams.fileno(), false, false, true, false},
        {ends.read.get(), false, false, false, false},
        {no_descriptor, false, false, false, false},
    };
    for (const auto& each : cases) {
        CAPTURE(&each - cases);
        CHECK(is_listener(each.fd) == each.listens);
        CHECK(has_peer(each.fd) == each.has_peer);
        CHECK(is_datagram(each.fd) == each.is_datagram);
        CHECK(is_unconnected(each.fd) == each.is_unconnected);
    }
}

TEST_CASE("descriptor: drop_urgent() takes the out-of-band byte that has_urgent() reports") {
    auto [a, b] = support::tcp_pair();
    CHECK(!has_urgent(a.fileno()));
    CHECK(!has_urgent(no_descriptor));
    b.send("!", MSG_OOB);
    pollfd asked{a.fileno(), POLLPRI, 0};
    REQUIRE(::poll(&asked, 1, 30000) == 1);
    CHECK(has_urgent(a.fileno()));
    drop_urgent(a.fileno());
    CHECK(!has_urgent(a.fileno()));
    b.close();
    REQUIRE(support::wait_readable(a.fileno(), std::chrono::seconds(30)));
    CHECK(!has_urgent(a.fileno()));  // poll(2) reports the hang-up, and nothing urgent
}
