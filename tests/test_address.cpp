// platform/address.hpp: addresses, to the kernel and back.
#include <asyncore/platform/address.hpp>

#include <cstddef>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unordered_set>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <doctest/doctest.h>

using asyncore::platform::address;
using namespace std::string_literals;

TEST_CASE("address: repr() is as Python writes it") {
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

TEST_CASE("address: host and port and path are its parts") {
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

TEST_CASE("address: a port is between 0 and 65535") {
    CHECK(address("127.0.0.1", 65535).port() == 65535);
    for (const long port : {-1L, 65536L, 70000L}) {
        CHECK_THROWS_AS(address("127.0.0.1", port), std::overflow_error);
        CHECK_THROWS_AS(address("::1", port, 0, 0), std::overflow_error);
        CHECK_THROWS_AS(asyncore::platform::getaddrinfo("127.0.0.1", port), std::overflow_error);
    }
}

TEST_CASE("address: addresses are equal exactly if all their parts are") {
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

TEST_CASE("address: the kernel's form converts back to the same address") {
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

TEST_CASE("address: resolve() fills sockaddr_in and sockaddr_in6 and sockaddr_un") {
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

TEST_CASE("address: resolve(AF_UNSPEC) finds the family") {
    CHECK(address("127.0.0.1", 1).resolve(AF_UNSPEC).name.ss_family == AF_INET);
    CHECK(address("::1", 1).resolve(AF_UNSPEC).name.ss_family == AF_INET6);
    CHECK(address("::1", 1, 0, 0).resolve(AF_UNSPEC).name.ss_family == AF_INET6);
    CHECK(address("/tmp/s").resolve(AF_UNSPEC).name.ss_family == AF_UNIX);
}

TEST_CASE("address: a path has room for 107 bytes and an abstract name for 108") {
    CHECK_NOTHROW(address(std::string(107, 'x')).resolve(AF_UNIX));
    CHECK_THROWS_AS(address(std::string(108, 'x')).resolve(AF_UNIX), std::invalid_argument);
    CHECK_NOTHROW(address('\0' + std::string(107, 'x')).resolve(AF_UNIX));
    CHECK_THROWS_AS(address('\0' + std::string(108, 'x')).resolve(AF_UNIX), std::invalid_argument);
}

TEST_CASE("address: resolve() refuses an address of another family") {
    CHECK_THROWS_AS(address().resolve(AF_INET), std::invalid_argument);
    CHECK_THROWS_AS(address().resolve(AF_UNSPEC), std::invalid_argument);
    CHECK_THROWS_AS(address("/tmp/s").resolve(AF_INET), std::invalid_argument);
    CHECK_THROWS_AS(address("127.0.0.1", 80).resolve(AF_UNIX), std::invalid_argument);
}

TEST_CASE("address: an unknown host is an error with the resolver's message") {
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

TEST_CASE("address: a socket without a name has an empty address") {
    sockaddr_storage name{};
    const auto* generic = reinterpret_cast<const sockaddr*>(&name);
    CHECK(!address(generic, 0));  // as recvfrom() on a socketpair gives it
    name.ss_family = AF_UNIX;
    CHECK(address(generic, sizeof(sa_family_t)).repr() == "''");
}

TEST_CASE("address: the order is by host and then by port, as in Python") {
    CHECK(address("a", 2) < address("b", 1));
    CHECK(address("a", 2) < address("a", 10));
    CHECK(address("127.0.0.1", 1) <= address("127.0.0.1", 1));
    CHECK(address("/tmp/a") < address("/tmp/b"));
    CHECK((address("::1", 1) <=> address("::1", 1, 0, 0)) != 0);  // since they are not equal
}

TEST_CASE("address: equal addresses have one hash") {
    const std::unordered_set<address> known{address("127.0.0.1", 1), address("::1", 1, 0, 0)};
    CHECK(known.contains(address("127.0.0.1", 1)));
    CHECK_FALSE(known.contains(address("127.0.0.1", 2)));
}

TEST_CASE("address: a stream shows the repr()") {
    std::ostringstream out;
    out << address("127.0.0.1", 80);
    CHECK(out.str() == "127.0.0.1:80");
}

TEST_CASE("address: family() is known for a number and for a path") {
    CHECK(address("127.0.0.1", 1).family() == AF_INET);
    CHECK(address("::1", 1).family() == AF_INET6);
    CHECK(address("/tmp/s").family() == AF_UNIX);
    CHECK(address("localhost", 1).family() == AF_UNSPEC);
    CHECK(address().family() == AF_UNSPEC);
}

TEST_CASE("getaddrinfo: all addresses of a name are numbers with the port") {
    const auto all = asyncore::platform::getaddrinfo("localhost", 80, AF_INET);
    REQUIRE(!all.empty());
    CHECK(all.front() == address("127.0.0.1", 80));
    for (const auto& each : asyncore::platform::getaddrinfo("localhost", 80)) {
        CHECK(each.family() != AF_UNSPEC);
        CHECK(each.port() == 80);
    }
    CHECK_THROWS_AS(asyncore::platform::getaddrinfo("no.such.host.invalid", 80), std::system_error);
}
