// What happens when memory runs out.
#include "channels.hpp"
#include "failing_calls.hpp"
#include "support.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <sys/socket.h>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::dispatcher;
using asyncore::socket_t;
using support::both_deliveries;
using support::next_descriptor;
using support::noting;

namespace {

int errors = 0;

/// Does with a line all that allocates memory.
struct busy : asynchat::async_chat {
    busy(socket_t sock, channel_map* map) : async_chat(std::move(sock), map) {
        ac_in_buffer_size = 11;
        ac_out_buffer_size = 100;
        set_terminator("\r\n");
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override {
        const auto line = _get_data();
        if (line == "produce")
            push_with_producer(asynchat::simple_producer(std::string(1000, 'p'), 300));
        else if (line == "long") set_terminator("<<END OF LINE>>");
        else if (line == "quit") close_when_done();
        else push(line + "\n");
    }
    void handle_error() override {
        ++errors;
        close();
    }
};

struct busy_server : dispatcher {
    explicit busy_server(channel_map* map) : dispatcher(map) {
        create_socket(AF_UNIX);
        bind("");  // the kernel chooses the name
        listen(5);
    }
    void handle_accepted(socket_t sock, const asyncore::address&) override {
        asyncore::spawn<busy>(std::move(sock), _map);
    }
    void handle_error() override { ++errors; }
};

const std::string said = "a line that is longer than what the chat reads at once\r\n\r\n" +
                         std::string(250, 'x') +
                         "\r\nproduce\r\nlong\r\nand\r\n"
                         "<<END OF<<END OF LINE>>quit<<END OF LINE>>";
const std::string answer = "a line that is longer than what the chat reads at once\n\n" +
                           std::string(250, 'x') + "\n" + std::string(1000, 'p') +
                           "and\r\n<<END OF\n";

/// A client sends `said` in pieces while memory is scarce.  Returns: what it receives.
std::string hold_dialogue(channel_map& map, const asyncore::address& where, bool use_poll,
                          support::scarce_memory& memory) {
    std::string heard, room(4096, '\0');
    socket_t client(AF_UNIX, SOCK_STREAM);
    REQUIRE(client.connect_ex(where) == 0);
    std::size_t at = 0;
    int turns_to_come = 500;
    for (; turns_to_come > 0; --turns_to_come) {
        // Where no memory comes back, a few turns show it, and the loop pauses in each of them.
        if (memory.lasts() && memory.refused() > 0) turns_to_come = std::min(turns_to_come, 8);
        if (at < said.size()) at += client.send(std::string_view(said).substr(at, 7)).count;
        memory.on();
        try {
            const bool wakes = map.deadline() != channel_map::never && !memory.lasts();
            asyncore::loop(wakes ? 0.2 : 0.0, use_poll, &map, 1);
        } catch (const std::bad_alloc&) {
            ++errors;
        }
        memory.off();
        const auto [count, error] = client.recv(room);
        heard.append(room, 0, count);
        if (count == 0 && error != EAGAIN) break;
    }
    return heard;
}

}  // namespace

TEST_CASE("out of memory: std::bad_alloc anywhere costs at most one connection and is reported") {
    // The stand-in for kevent(2) asks for memory itself, and the kernel does not.
    if (channel_map().mechanism() == "kqueue") return;
    for (const bool use_poll : both_deliveries)
        for (const std::size_t width : {std::size_t{1}, std::size_t{2}, std::size_t{1} << 30}) {
            CAPTURE(use_poll);
            CAPTURE(width);
            bool refused = true;
            for (std::size_t first = 0; refused; ++first) {
                CAPTURE(first);
                const int before = next_descriptor();
                {
                    channel_map map;
                    busy_server server(&map);
                    errors = 0;
                    support::scarce_memory memory(first, width);
                    const auto heard =
                        hold_dialogue(map, server.socket.getsockname(), use_poll, memory);
                    refused = memory.refused() > 0;
                    CHECK(answer.starts_with(heard));
                    // (Where memory is scarce to the end, a channel may rest to the end.)
                    if (errors == 0 && !memory.lasts())
                        CHECK((heard == answer));  // too long to print
                    // The map works as before.
                    support::scarce_memory plenty(0, 0);
                    CHECK((hold_dialogue(map, server.socket.getsockname(), use_poll, plenty) ==
                           answer));
                    asyncore::loop(0.0, use_poll, &map, 2);
                    CHECK(map.size() <= 2);  // the server, and one channel after an error
                }
                REQUIRE(next_descriptor() == before);
            }
        }
}

TEST_CASE(
    "out of memory: a turn that finds none for what is ready ends, and a later one serves it") {
    // The stand-in for kevent(2) asks for memory itself, and the kernel does not.
    if (channel_map().mechanism() == "kqueue") return;
    for (const bool exact : {false, true}) {
        CAPTURE(exact);
        bool refused = true;
        int ends = 0, throws = 0;
        for (std::size_t first = 0; refused; ++first) {
            CAPTURE(first);
            bool served = false;
            // A new thread has no memory that an earlier turn has left.
            std::thread([&] {
                channel_map map;
                map.exact = exact;
                map.log = [&](std::string_view line, std::string_view) {
                    ends += line.starts_with("the turn found no memory");
                };
                auto [ours, theirs] = socket_t::pair();
                noting channel(std::move(ours), &map);
                theirs.send("x");
                support::scarce_memory memory(first, 1);
                memory.on();
                try {
                    asyncore::loop(0.0, true, &map, 1);
                } catch (const std::bad_alloc&) {
                    ++throws;
                }
                memory.off();
                refused = memory.refused() > 0;
                asyncore::loop(0.2, true, &map, 2);
                served = std::count(channel.log.begin(), channel.log.end(), "read") == 1;
            }).join();
            CHECK(served);
        }
        CHECK((ends > 0) == !exact);
        CHECK(throws > 0);
    }
}

TEST_CASE("out of memory: handle_error() that finds none for its line says so, and closes") {
    channel_map map;
    bool is_logged = false;
    map.log = [&](std::string_view line, std::string_view) {
        is_logged |= line == "out of memory";
    };
    dispatcher d(socket_t::pair().first, &map);
    support::scarce_memory none(0, std::size_t{1} << 30);
    try {
        throw 1;
    } catch (...) {
        none.on();
        d.handle_error();
        none.off();
    }
    CHECK(is_logged);
    CHECK(map.empty());
}

TEST_CASE("out of memory: a constructor that throws leaves nothing in the map") {
    bool refused = true;
    for (std::size_t first = 0; refused; ++first) {
        channel_map map;
        auto [a, b] = socket_t::pair();
        support::scarce_memory memory(first, 1);
        memory.on();
        try {
            const dispatcher borrowed(std::move(a), &map);
            memory.off();
            CHECK(map.size() == 1);
        } catch (const std::bad_alloc&) {
            memory.off();
        }
        refused = memory.refused() > 0;
        CHECK(map.empty());
        CHECK(map.items().empty());
        asyncore::loop(0.0, true, &map, 1);
    }
}

TEST_CASE("out of memory: after a push() that throws no byte is sent from the caller's memory") {
    bool refused = true;
    for (std::size_t first = 0; refused; ++first) {
        auto [a, b] = socket_t::pair();
        channel_map map;
        busy chat(std::move(a), &map);
        chat.ac_out_buffer_size = 4;
        support::scarce_memory memory(first, 2);
        std::string data = "AAAABBBBCCCCDDDDEEEE";
        memory.on();
        try {
            chat.push(data);
        } catch (const std::bad_alloc&) {
        }
        memory.off();
        refused = memory.refused() > 0;
        data.assign(data.size(), '?');
        while (!chat.producer_fifo.empty()) chat.initiate_send();
        std::string room(100, '\0');
        room.resize(b.recv(room).count);
        CHECK(std::string_view("AAAABBBBCCCCDDDDEEEE").starts_with(room));
        if (!refused) CHECK(room == "AAAABBBBCCCCDDDDEEEE");
    }
}
