// platform/poller.hpp: readiness is level-triggered, and one wait reports all of it.
#include "failing_calls.hpp"
#include "pollers.hpp"

#include <asyncore/platform/ask_poll.hpp>
#include <asyncore/platform/poller.hpp>
#include <asyncore/platform/socket.hpp>

#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using namespace std::chrono_literals;
using namespace support;
using clock_type = std::chrono::steady_clock;
using socket_t = asyncore::platform::socket;

TEST_CASE_FIXTURE(polling, "poller: level-triggered: readable until all bytes are read") {
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

TEST_CASE_FIXTURE(polling,
                  "poller: level-triggered: an out-of-band byte is reported until it is read") {
    auto [a, b] = tcp_pair();
    watch(a, priority);
    CHECK(wait().empty());
    b.send("!", MSG_OOB);
    CHECK(wait(10.0) == answer{{a.fileno(), priority}});
    char byte = 0;
    CHECK(a.recv({&byte, 1}, MSG_OOB).count == 1);
    CHECK(wait().empty());
}

TEST_CASE_FIXTURE(polling, "poller: level-triggered: writable until the buffer is full") {
    pipe_ends ends;
    watch(ends.write, writes);
    CHECK(wait() == answer{{ends.write.get(), writes}});
    fill(ends.write.get());
    CHECK(wait().empty());
    std::string all_of_it(1 << 20, '\0');
    REQUIRE(::read(ends.read.get(), all_of_it.data(), all_of_it.size()) > 0);
    CHECK(wait() == answer{{ends.write.get(), writes}});
}

TEST_CASE_FIXTURE(polling,
                  "poller: one wait reports every ready descriptor however many there are") {
    // The stand-in for kqueue polls each pipe, and main.cpp allows 1,000 waits without progress.
    const std::size_t pairs = is("select") ? 400 : 900;
    support::raise_descriptor_limit(2 * pairs + 100);
    std::vector<pipe_ends> pipes(pairs);
    watch(pipes[0].read, reads);
    CHECK(wait().empty());  // the poller has room for few events now
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

TEST_CASE_FIXTURE(polling, "poller: wait() clears what an earlier wait has found") {
    std::vector<ready> found{{7, reads}, {8, writes}};
    poller->wait(0.0, found);
    CHECK(found.empty());
}

TEST_CASE_FIXTURE(polling, "poller: a regular file is always ready until it is forgotten") {
    const auto file = a_file();
    watch(file, reads);
    CHECK(wait() == answer{{file.get(), reads}});
    CHECK(wait(std::nullopt) == answer{{file.get(), reads}});
    watch(file, writes);
    CHECK(wait(10.0) == answer{{file.get(), writes}});
    watch(file, none);
    CHECK(wait().empty());
}

TEST_CASE_FIXTURE(polling, "poller: a regular file never has out-of-band data") {
    const auto file = a_file();
    watch(file, priority);
    const auto start = clock_type::now();
    CHECK(wait(0.02).empty());
    CHECK(clock_type::now() - start >= 20ms);
    watch(file, priority | reads);
    CHECK(wait(std::nullopt) == answer{{file.get(), reads}});
}

TEST_CASE_FIXTURE(polling, "poller: one wait reports regular files and sockets") {
    const auto file = a_file();
    auto [a, b] = socket_t::pair();
    b.send("x");
    watch(file, reads);
    watch(a, reads);
    CHECK(wait(std::nullopt) == answer{{file.get(), reads}, {a.fileno(), reads}});
}

TEST_CASE("ask_poll: a doubtful readiness is asked of poll(2)") {
    auto [a, b] = socket_t::pair();
    pipe_ends ends, quiet;
    ends.write.reset();
    const int closed = duplicate(a.fileno(), 0).get();
    std::vector<ready> found{{a.fileno(), reads},       {b.fileno(), writes | hangup},
                             {ends.read.get(), reads},  {7, priority},
                             {quiet.read.get(), reads}, {closed, reads}};
    ask_poll(found, reads | hangup);
    REQUIRE(found.size() == 4);  // there is nothing to read from `a` and from `quiet`
    CHECK(found[0].fd == b.fileno());
    CHECK(found[0].what == writes);
    CHECK(found[1].fd == ends.read.get());
    CHECK(found[1].what == hangup);
    CHECK(found[2].fd == 7);
    CHECK(found[2].what == priority);
    CHECK(found[3].fd == closed);
    CHECK(found[3].what == events::invalid);
}

TEST_CASE("ask_poll: what poll(2) does not answer stays as it is") {
    auto [a, b] = socket_t::pair();
    std::vector<ready> found{{a.fileno(), reads}};
    const failing_waits failing(ENOMEM, 1);
    ask_poll(found, reads);
    REQUIRE(found.size() == 1);
    CHECK(found[0].what == reads);
}
