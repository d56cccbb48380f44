#include "../channels.hpp"
#include "../support.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/signals/process.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::channel_map, asyncore::process, asyncore::socket_t;
using support::lines;

namespace {

/// Collects what it reads, line by line.
struct reader : asynchat::async_chat {
    reader(socket_t sock, channel_map* map) : async_chat(std::move(sock), map) {
        set_terminator("\n");
    }
    lines got;
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override { got.push_back(_get_data()); }
};

struct noting_process : process {
    using process::process;
    std::vector<int> ends;
    void handle_exit(int status) override { ends.push_back(status); }
};

process::options on(channel_map& map) {
    process::options how;
    how.map = &map;
    return how;
}

std::vector<std::string> sh(std::string script) { return {"sh", "-c", std::move(script)}; }

bool is_reaped(int pid) { return ::kill(pid, 0) != 0 && errno == ESRCH; }

/// The loop on a map until it is empty.  A turn has no time-out: what is lost makes the test wait.
void run(channel_map& map) { asyncore::loop(std::nullopt, false, &map); }

}  // namespace

TEST_CASE("process: its end is a hook, with the status, and ends the loop") {
    const auto status_of = [](std::string script) {
        channel_map map;
        noting_process child(sh(std::move(script)), on(map));
        CHECK(map.size() == 1);
        CHECK(child.pid() > 0);
        run(map);
        CHECK(is_reaped(child.pid()));
        REQUIRE(child.ends.size() == 1);
        CHECK(child.returncode == child.ends[0]);
        return child.ends[0];
    };
    CHECK(status_of("exit 0") == 0);
    CHECK(status_of("exit 7") == 7);
    CHECK(status_of("kill -TERM $$") == -SIGTERM);
}

TEST_CASE("process: its pipes are sockets for channels") {
    channel_map map;
    auto how = on(map);
    how.input = how.output = how.errors = process::PIPE;
    noting_process child(sh("while read line; do echo \"out $line\"; done; echo err >&2; exit 3"),
                         how);
    reader output(std::move(child.output), &map), errors(std::move(child.errors), &map);
    reader input(std::move(child.input), &map);
    input.push("one\n");
    input.push("two\n");
    input.close_when_done();
    run(map);
    CHECK(output.got == lines{"out one", "out two"});
    CHECK(errors.got == lines{"err"});
    CHECK(child.ends == std::vector{3});
}

TEST_CASE("process: much data goes through cat and back") {
    channel_map map;
    auto how = on(map);
    how.input = how.output = process::PIPE;
    noting_process child({"cat"}, how);
    reader output(std::move(child.output), &map), input(std::move(child.input), &map);
    output.set_terminator(asynchat::none);
    const std::string data(1'000'000, 'x');
    input.push(data);
    input.close_when_done();
    run(map);
    CHECK(output._get_data() == data);
    CHECK(child.ends == std::vector{0});
}

TEST_CASE("process: a channel that writes to a child that has gone is closed, without SIGPIPE") {
    channel_map map;
    auto how = on(map);
    how.input = process::PIPE;
    noting_process child(sh("exit 0"), how);
    reader input(std::move(child.input), &map);
    while (!child.returncode) asyncore::loop(60.0, false, &map, 1);
    input.push("too late");
    run(map);
    CHECK_FALSE(input.connected);
}

TEST_CASE("process: errors may go where the output goes, or nowhere, or to an open descriptor") {
    channel_map map;
    auto how = on(map);
    how.output = process::PIPE;
    how.errors = process::STDOUT;
    how.input = process::DEVNULL;
    noting_process both(sh("cat; echo out; echo err >&2"), how);
    reader output(std::move(both.output), &map);
    how = on(map);
    how.output = how.errors = process::DEVNULL;
    noting_process silent(sh("echo out; echo err >&2"), how);
    const support::pipe_ends ends;
    how = on(map);
    how.output = ends.write.get();
    noting_process given(sh("echo given"), how);
    run(map);
    CHECK(output.got == lines{"out", "err"});
    CHECK(silent.ends == std::vector{0});
    std::array<char, 100> room;
    CHECK(::read(ends.read.get(), room.data(), room.size()) == 6);
    CHECK_FALSE(silent.output);
}

TEST_CASE("process: redirections may cross, also where the standard descriptors are closed") {
    CHECK(support::in_child([] {
        ::alarm(30);
        const support::pipe_ends one, two;
        const int first = ::fcntl(one.write.get(), F_DUPFD, 10);
        const int second = ::fcntl(two.write.get(), F_DUPFD, 10);
        ::dup2(first, 1);
        ::dup2(second, 2);
        channel_map map;
        auto how = on(map);
        how.output = 2;
        how.errors = 1;
        const noting_process crossed(sh("echo out; echo error >&2"), how);
        run(map);
        std::array<char, 100> room;
        if (::read(one.read.get(), room.data(), room.size()) != 6) return false;
        if (::read(two.read.get(), room.data(), room.size()) != 4) return false;

        for (const int standard : {0, 1, 2}) ::close(standard);
        how.input = how.output = how.errors = process::PIPE;
        noting_process child(sh("read line; echo $line; echo err >&2"), how);
        reader output(std::move(child.output), &map), errors(std::move(child.errors), &map);
        reader input(std::move(child.input), &map);
        input.push("in\n");
        run(map);
        return output.got == lines{"in"} && errors.got == lines{"err"};
    }));
}

TEST_CASE("process: a program gets its environment, and no other descriptor of the library") {
    channel_map map;
    const auto [open, peer] = socket_t::pair();
    auto how = on(map);
    how.output = process::PIPE;
    how.env = {"NAME=value", "PATH=/usr/bin:/bin"};
    const auto is_open = [](const socket_t& sock) {
        const auto fd = std::to_string(sock.fileno());
        return "[ ! -e /dev/fd/" + fd + " ] || echo " + fd + " is open;";
    };
    noting_process child(sh("echo $NAME;" + is_open(open) + is_open(peer)), how);
    reader output(std::move(child.output), &map);
    run(map);
    CHECK(output.got == lines{"value"});
}

TEST_CASE("process: a program begins with SIGPIPE as usual and with no signal blocked") {
    CHECK(support::in_child([] {
        ::alarm(30);
        std::signal(SIGPIPE, SIG_IGN);
        channel_map map;
        auto how = on(map);
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        ::sigprocmask(SIG_BLOCK, &term, nullptr);
        noting_process ended(sh("kill -PIPE $$"), how), terminated(sh("kill -TERM $$"), how);
        run(map);
        return ended.ends == std::vector{-SIGPIPE} && terminated.ends == std::vector{-SIGTERM};
    }));
}

TEST_CASE("process: no end is lost when many children end at once") {
    channel_map map;
    std::vector<std::unique_ptr<noting_process>> children;
    auto how = on(map);
    for (int i = 0; i < 20; ++i) {
        how.input = process::PIPE;
        children.push_back(
            std::make_unique<noting_process>(sh("read line; exit " + std::to_string(i)), how));
    }
    for (const auto& each : children) each->input.close();
    run(map);
    for (int i = 0; i < 20; ++i)
        CHECK(children[static_cast<std::size_t>(i)]->ends == std::vector{i});
}

TEST_CASE("process: signals go to a program that runs, and to no other") {
    channel_map map;
    auto how = on(map);
    how.input = process::PIPE;
    noting_process one({"cat"}, how), two({"cat"}, how);
    one.terminate();
    two.kill();
    run(map);
    CHECK(one.ends == std::vector{-SIGTERM});
    CHECK(two.ends == std::vector{-SIGKILL});
    CHECK_NOTHROW(one.terminate());
}

TEST_CASE("process: a program that does not exist is an exception, and leaves nothing behind") {
    channel_map map;
    const noting_process first(sh("exit 0"), on(map));  // the receiver of its signals stays
    const noting_process second(sh("exit 0"), on(map));
    run(map);
    const int next = support::next_descriptor();
    auto how = on(map);
    how.input = how.output = how.errors = process::PIPE;
    try {
        const noting_process child({"/no/such/program"}, how);
        FAIL("it started");
    } catch (const std::system_error& why) {
        CHECK(why.code().value() == ENOENT);
    }
    CHECK_THROWS_AS(noting_process({}, how), std::invalid_argument);
    how.output = -7;
    CHECK_THROWS_AS(noting_process({"cat"}, how), std::invalid_argument);
    CHECK(map.empty());
    CHECK(support::next_descriptor() == next);
}

TEST_CASE("process: a spawned process lives until its program has ended") {
    channel_map map;
    static int ends = 0;
    struct counting : process {
        using process::process;
        ~counting() override { ++ends; }
    };
    asyncore::spawn<counting>(sh("exit 0"), on(map));
    run(map);
    map.sweep();
    CHECK(ends == 1);
}

TEST_CASE("process: an object that is destroyed first leaves no zombie behind") {
    channel_map map;
    auto how = on(map);
    how.input = process::PIPE;
    auto child = std::make_unique<noting_process>(std::vector<std::string>{"cat"}, how);
    const int pid = child->pid();
    child.reset();  // cat reads the end of its input
    CHECK(map.empty());
    siginfo_t info;
    REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
    const noting_process next(sh("exit 0"), on(map));
    CHECK(is_reaped(pid));
    run(map);
}

TEST_CASE("process: a status that other code took is 255") {
    channel_map map;
    noting_process child(sh("exit 0"), on(map));
    REQUIRE(::waitpid(child.pid(), nullptr, 0) == child.pid());
    run(map);
    CHECK(child.ends == std::vector{255});
}

TEST_CASE("process: a redirection that cannot be made is an exception, and leaves nothing behind") {
    channel_map map;
    const auto made = [&](int input, int output) {
        auto how = on(map);
        how.input = input;
        how.output = output;
        const noting_process child({"true"}, how);
    };
    CHECK_THROWS_AS(made(process::inherited, process::STDOUT), std::invalid_argument);
    CHECK_THROWS_AS(made(1 << 20, process::inherited), std::system_error);
    CHECK(map.empty());
    CHECK(support::in_child([&] {
        const auto free = support::next_descriptor();
        const rlimit few{static_cast<rlim_t>(free + 2), static_cast<rlim_t>(free + 2)};
        ::setrlimit(RLIMIT_NOFILE, &few);  // too few for a pipe and a copy of it
        try {
            made(process::PIPE, process::inherited);
            return false;
        } catch (const std::system_error& why) {
            return why.code().value() == EMFILE;
        }
    }));
}

TEST_CASE("process: a signal that does not exist cannot be sent") {
    channel_map map;
    auto how = on(map);
    how.input = process::PIPE;
    noting_process child({"cat"}, how);
    CHECK_THROWS_AS(child.send_signal(1000), std::system_error);
    child.input.close();
    run(map);
    CHECK(child.ends == std::vector<int>{0});
    CHECK_NOTHROW(child.send_signal(1000));  // it is gone
}
