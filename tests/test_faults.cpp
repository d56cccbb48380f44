// What happens when memory runs out, when a process forks in the midst of a turn, and when
// destructors and predicates do what nobody expects.
#include "channels.hpp"
#include "failing_calls.hpp"
#include "support.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::dispatcher;
using asyncore::socket_t;
using support::both_deliveries;
using support::in_child;
using support::noting;

namespace {

/// The number that the next descriptor gets: the same as before where none was lost.
int next_descriptor() {
    const int next = ::dup(0);
    ::close(next);
    return next;
}

int errors = 0;

/// Does with a line all that asks for memory.
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
        bind("");  // the kernel chooses a name
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

/// A client says all of it, in pieces, while memory is scarce: what it hears until it is closed.
std::string hold_dialogue(channel_map& map, const asyncore::address& where, bool use_poll,
                          support::scarce_memory& memory) {
    std::string heard, room(4096, '\0');
    socket_t client(AF_UNIX, SOCK_STREAM);
    REQUIRE(client.connect_ex(where) == 0);
    std::size_t at = 0;
    for (int turn = 0; turn < 500; ++turn) {
        if (at < said.size()) at += client.send(std::string_view(said).substr(at, 7)).count;
        memory.on();
        try {
            asyncore::loop(0.0, use_poll, &map, 1);
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

TEST_CASE("memory that runs out anywhere loses no more than a connection, and says so") {
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
                    if (errors == 0) CHECK((heard == answer));  // too long to be printed
                    // And the map is as good as ever.
                    support::scarce_memory plenty(0, 0);
                    CHECK((hold_dialogue(map, server.socket.getsockname(), use_poll, plenty) ==
                           answer));
                    asyncore::loop(0.0, use_poll, &map, 2);
                    CHECK(map.size() <= 2);  // an error left one that nobody hears of
                }
                REQUIRE(next_descriptor() == before);
            }
        }
}

TEST_CASE("memory that runs out in a constructor leaves nothing in the map") {
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

TEST_CASE("what did not fit while it was pushed is not sent from where it lay") {
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

TEST_CASE("a fork in a hook: both go on, and hear of what is theirs") {
    for (const bool use_poll : both_deliveries)
        CHECK(in_child([use_poll] {
            struct forking : noting {
                using noting::noting;
                pid_t child = -1;
                void handle_read() override {
                    noting::handle_read();
                    child = ::fork();
                }
            };
            channel_map map;
            auto [a, peer_a] = socket_t::pair();
            auto [b, peer_b] = socket_t::pair();
            forking fork(std::move(a), &map);
            noting other(std::move(b), &map);
            peer_a.send("x");
            asyncore::loop(30.0, use_poll, &map, 1);
            ::alarm(60);
            if (fork.child != 0) {
                int status = 0;
                ::waitpid(fork.child, &status, 0);
                if (status != 0) return false;
            }
            // In the child first, whose one turn would wait in vain if nobody told its poller.
            peer_b.send("y");
            asyncore::loop(std::nullopt, use_poll, &map, 1);
            return other.log == support::lines{"read"};
        }));
}

TEST_CASE("a child without descriptors can still destroy its channels, and its parent hears") {
    CHECK(in_child([] {
        channel_map map;
        auto [a, b] = socket_t::pair();
        auto channel = std::make_unique<noting>(std::move(a), &map);
        asyncore::loop(0.0, true, &map, 1);
        const bool good = in_child([&] {
            const rlimit none{0, 0};
            ::setrlimit(RLIMIT_NOFILE, &none);
            CHECK_NOTHROW(channel.reset());
            return map.empty();
        });
        b.send("x");
        asyncore::loop(0.0, true, &map, 1);
        return good && channel->log == support::lines{"read"};
    }));
}

TEST_CASE("SIGINT in a child is not its parent's") {
    CHECK(in_child([] {
        channel_map map;
        auto [a, b] = socket_t::pair();
        noting channel(std::move(a), &map);
        const asyncore::interrupt_on_sigint interruptible(&map);
        const auto interrupted = [&] {
            try {
                asyncore::loop(0.0, false, &map, 1);
                return false;
            } catch (const asyncore::KeyboardInterrupt&) {
                return true;
            }
        };
        if (interrupted()) return false;
        if (!in_child([&] { return ::raise(SIGINT), interrupted(); })) return false;
        if (interrupted()) return false;
        { const asyncore::interrupt_on_sigint inner(&map); }
        ::raise(SIGINT);  // the outer one goes on
        return interrupted();
    }));
}

TEST_CASE("a destructor that makes channels while the map goes") {
    struct breeding : dispatcher {
        int generations;
        breeding(socket_t sock, channel_map* map, int left)
            : dispatcher(std::move(sock), map), generations(left) {}
        ~breeding() override {
            for (int n = 0; n < 3 && generations > 0; ++n)
                asyncore::spawn<breeding>(socket_t::pair().first, _map, generations - 1)->close();
        }
    };
    const int before = next_descriptor();
    {
        channel_map map;
        asyncore::spawn<breeding>(socket_t::pair().first, &map, 2);
    }
    CHECK(next_descriptor() == before);
}

TEST_CASE("a loop in a predicate takes nothing twice") {
    struct looping : noting {
        using noting::noting;
        bool use_poll = false, looped = false;
        bool readable() override {
            if (!std::exchange(looped, true)) asyncore::loop(0.0, use_poll, _map, 1);
            return noting::readable();
        }
    };
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [a, peer_a] = socket_t::pair();
        auto [b, peer_b] = socket_t::pair();
        noting first(std::move(a), &map);
        looping second(std::move(b), &map);
        second.use_poll = use_poll;
        peer_a.send("x");
        asyncore::loop(0.0, use_poll, &map, 1);
        CHECK(first.log == support::lines{"read"});
    }
}

TEST_CASE("a listener that was adopted has a descriptor in reserve too") {
    CHECK(in_child([] {
        struct adopting : noting {
            using noting::noting;
            int accepted = 0;
            void handle_accepted(socket_t, const asyncore::address&) override { ++accepted; }
            void log_info(std::string_view, std::string_view) override {}
        };
        socket_t sock(AF_INET, SOCK_STREAM);
        sock.bind({support::HOST, 0});
        sock.listen(5);
        const auto where = sock.getsockname();
        channel_map map;
        adopting listener(std::move(sock), &map);
        listener.accepting = true;
        socket_t one(AF_INET, SOCK_STREAM), two(AF_INET, SOCK_STREAM);
        one.connect_ex(where);
        asyncore::loop(30.0, true, &map, 1);
        two.connect_ex(where);
        rlimit before{};
        ::getrlimit(RLIMIT_NOFILE, &before);
        const rlimit none_left{static_cast<rlim_t>(next_descriptor()), before.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none_left);
        asyncore::loop(30.0, true, &map, 1);
        ::setrlimit(RLIMIT_NOFILE, &before);
        return listener.accepted == 1 && listener.accepting && listener.log.empty();
    }));
}

TEST_CASE("a thread that is being cancelled can close") {
    struct closing : noting {
        using noting::noting;
        void handle_read() override {
            ::pthread_cancel(::pthread_self());
            close();  // close(2) is where a thread is cancelled, but not here
            ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
            log.emplace_back("closed");
        }
    };
    channel_map map;
    auto [a, b] = socket_t::pair();
    closing channel(std::move(a), &map);
    b.send("x");
    std::thread([&] { asyncore::loop(30.0, false, &map, 1); }).join();
    CHECK(channel.log == support::lines{"closed"});
    CHECK_FALSE(channel.socket);
}
