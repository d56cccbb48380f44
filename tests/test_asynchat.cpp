// Python: Lib/test/test_asynchat.py of 3.11, name by name; and nothing else.
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include "support.hpp"

#include <doctest/doctest.h>

using asyncore::socket_t;
using support::Event;
using support::HOST;
using namespace std::chrono_literals;

namespace {

const std::string SERVER_QUIT = "QUIT\n";

/// Collects what a client sends, up to SERVER_QUIT, and then sends it back; in a thread of its own.
class echo_server {
public:
    std::atomic<std::size_t> chunk_size = 1;           // how many bytes go back in each send
    std::atomic<Event*> start_resend_event = nullptr;  // to be waited for before that, if any
    std::uint16_t port = 0;
    std::string buffer;  // not to be looked at before join_thread()

    explicit echo_server(Event& ready)
        : event_(ready), sock_(support::blocking(socket_t(AF_INET, SOCK_STREAM))) {
        port = support::bind_port(sock_);
    }
    ~echo_server() {
        if (thread_.joinable()) thread_.join();
    }
    echo_server(const echo_server&) = delete;
    echo_server& operator=(const echo_server&) = delete;

    void start() {
        thread_ = std::thread([this] {
            try {
                run();
            } catch (...) {
                failure_ = std::current_exception();
                event_.set();
            }
        });
    }
    /// Throws: what run() threw.
    void join_thread() {
        thread_.join();
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    void run() {
        sock_.listen(100);
        event_.set();
        int error = 0;
        auto conn = support::blocking(sock_.accept(error).first);
        while (buffer.find(SERVER_QUIT) == buffer.npos) {
            std::array<char, 1> data;
            const auto [count, err] = conn.recv(data);
            if (err != 0) throw asyncore::platform::os_error(err, "recv");
            if (count == 0) break;
            buffer.append(data.data(), count);
        }

        if (const auto at = buffer.find(SERVER_QUIT); at != buffer.npos)
            buffer.erase(at, SERVER_QUIT.size());

        if (auto* resend = start_resend_event.load()) resend->wait();

        // This may fail, where the client closes when it has sent: test_close_when_done.
        while (!buffer.empty()) {
            const auto [n, err] = conn.send(std::string_view(buffer).substr(0, chunk_size));
            if (err != 0) break;
            std::this_thread::sleep_for(1ms);  // else chunks would arrive joined
            buffer.erase(0, n);
        }

        conn.close();
        sock_.close();
    }

    Event& event_;
    socket_t sock_;
    std::thread thread_;
    std::exception_ptr failure_;
};

class echo_client : public asynchat::async_chat {
public:
    std::vector<std::string> contents;
    std::string buffer;

    echo_client(asynchat::terminator_t term, std::uint16_t server_port) {
        create_socket(AF_INET, SOCK_STREAM);
        connect({HOST, server_port});
        set_terminator(std::move(term));
    }

    void handle_connect() override {}

#ifdef __APPLE__
    // poll(2) reports a hang-up there when a test ends.
    void handle_expt() override {}
#endif

    void collect_incoming_data(std::string_view data) override { buffer += data; }

    void found_terminator() override {
        contents.push_back(buffer);
        buffer.clear();
    }
};

/// Python: `s, event = start_echo_server()`.
class started_echo_server {
    Event event_;

public:
    echo_server s{event_};
    started_echo_server() {
        s.start();
        event_.wait();
        event_.clear();
    }
};

using lines = std::vector<std::string>;

/// The bodies of the tests, which differ in `usepoll` alone.
class TestAsynchatBase {
public:
    const bool usepoll;
    explicit TestAsynchatBase(bool polled) : usepoll(polled) {}

    void loop() const { asyncore::loop({.timeout = .01, .use_poll = usepoll, .count = 300}); }

    void line_terminator_check(const std::string& term, std::size_t server_chunk) const {
        CAPTURE(term);
        CAPTURE(server_chunk);
        Event event;
        echo_server s(event);
        s.chunk_size = server_chunk;
        s.start();
        event.wait();
        event.clear();
        echo_client c(term, s.port);
        c.push("hello ");
        c.push("world" + term);
        c.push("I'm not dead yet!" + term);
        c.push(SERVER_QUIT);
        loop();
        s.join_thread();

        CHECK(c.contents == lines{"hello world", "I'm not dead yet!"});
    }

    void numeric_terminator_check(int termlen) const {
        // Reads so many bytes.
        started_echo_server started;
        auto& s = started.s;
        echo_client c(termlen, s.port);
        const std::string data = "hello world, I'm not dead yet!\n";
        c.push(data);
        c.push(SERVER_QUIT);
        loop();
        s.join_thread();

        CHECK(c.contents == lines{data.substr(0, static_cast<std::size_t>(termlen))});
    }
};

/// Whether c.push(data) compiles.
template <class Data>
concept can_push = requires(asynchat::async_chat& c, const Data& data) {
    c.push(data);
};

}  // namespace

// Outside of the unnamed namespace, so that doctest prints their bare names.

struct TestAsynchat : TestAsynchatBase {
    TestAsynchat() : TestAsynchatBase(false) {}
};

struct TestAsynchat_WithPoll : TestAsynchatBase {
    TestAsynchat_WithPoll() : TestAsynchatBase(true) {}
};

#define TEST_ASYNCHAT_CLASSES TestAsynchat, TestAsynchat_WithPoll

TEST_SUITE("TestAsynchat") {
    // The server returns chunks of several sizes, so that every branch of handle_read() is taken.

    TEST_CASE_TEMPLATE("test_line_terminator1", Class, TEST_ASYNCHAT_CLASSES) {
        // A terminator of one character.
        const Class self;
        for (const unsigned l : {1u, 2u, 3u}) self.line_terminator_check("\n", l);
    }

    TEST_CASE_TEMPLATE("test_line_terminator2", Class, TEST_ASYNCHAT_CLASSES) {
        // Of two.
        const Class self;
        for (const unsigned l : {1u, 2u, 3u}) self.line_terminator_check("\r\n", l);
    }

    TEST_CASE_TEMPLATE("test_line_terminator3", Class, TEST_ASYNCHAT_CLASSES) {
        // Of three.
        const Class self;
        for (const unsigned l : {1u, 2u, 3u}) self.line_terminator_check("qqq", l);
    }

    TEST_CASE_TEMPLATE("test_numeric_terminator1", Class, TEST_ASYNCHAT_CLASSES) {
        const Class self;
        self.numeric_terminator_check(1);
    }

    TEST_CASE_TEMPLATE("test_numeric_terminator2", Class, TEST_ASYNCHAT_CLASSES) {
        const Class self;
        self.numeric_terminator_check(6);
    }

    TEST_CASE_TEMPLATE("test_none_terminator", Class, TEST_ASYNCHAT_CLASSES) {
        // Reads all that comes, and finds no end.
        const Class self;
        started_echo_server started;
        auto& s = started.s;
        echo_client c(asynchat::none, s.port);
        const std::string data = "hello world, I'm not dead yet!\n";
        c.push(data);
        c.push(SERVER_QUIT);
        self.loop();
        s.join_thread();

        CHECK(c.contents == lines{});
        CHECK(c.buffer == data);
    }

    TEST_CASE_TEMPLATE("test_simple_producer", Class, TEST_ASYNCHAT_CLASSES) {
        const Class self;
        started_echo_server started;
        auto& s = started.s;
        echo_client c("\n", s.port);
        const std::string data = "hello world\nI'm not dead yet!\n";
        const auto p = std::make_shared<asynchat::simple_producer>(data + SERVER_QUIT, 8);
        c.push_with_producer(p);
        self.loop();
        s.join_thread();

        CHECK(c.contents == lines{"hello world", "I'm not dead yet!"});
    }

    TEST_CASE_TEMPLATE("test_string_producer", Class, TEST_ASYNCHAT_CLASSES) {
        const Class self;
        started_echo_server started;
        auto& s = started.s;
        echo_client c("\n", s.port);
        const std::string data = "hello world\nI'm not dead yet!\n";
        c.push_with_producer(data + SERVER_QUIT);
        self.loop();
        s.join_thread();

        CHECK(c.contents == lines{"hello world", "I'm not dead yet!"});
    }

    TEST_CASE_TEMPLATE("test_empty_line", Class, TEST_ASYNCHAT_CLASSES) {
        // An empty line is a line.
        const Class self;
        started_echo_server started;
        auto& s = started.s;
        echo_client c("\n", s.port);
        c.push("hello world\n\nI'm not dead yet!\n");
        c.push(SERVER_QUIT);
        self.loop();
        s.join_thread();

        CHECK(c.contents == lines{"hello world", "", "I'm not dead yet!"});
    }

    TEST_CASE_TEMPLATE("test_close_when_done", Class, TEST_ASYNCHAT_CLASSES) {
        const Class self;
        Event start_resend_event;
        started_echo_server started;
        auto& s = started.s;
        s.start_resend_event = &start_resend_event;
        echo_client c("\n", s.port);
        c.push("hello world\nI'm not dead yet!\n");
        c.push(SERVER_QUIT);
        c.close_when_done();
        self.loop();

        // The server begins to answer only now that the client has closed, so it cannot have sent
        // back all that it got before its buffer is checked.
        start_resend_event.set();
        s.join_thread();

        CHECK(c.contents == lines{});
        // It may have sent a byte or two back, but it has received something.
        CHECK(s.buffer.size() > 0);
    }

    TEST_CASE_TEMPLATE("test_push", Class, TEST_ASYNCHAT_CLASSES) {
        // push() takes bytes and nothing else.
        const Class self;
        started_echo_server started;
        auto& s = started.s;
        echo_client c("\n", s.port);
        // Python: bytes, bytearray and memoryview.
        const char data[] = "bytes\n";
        c.push(data);
        c.push(std::string(data));
        c.push(std::string_view(data));
        // What is a TypeError in Python does not compile.
        static_assert(can_push<const char*> && can_push<std::string> && can_push<std::string_view>);
        static_assert(!can_push<int> && !can_push<std::nullptr_t>);
        static_assert(!can_push<std::u8string> && !can_push<const char8_t*>);
        static_assert(!can_push<std::u32string> && !can_push<std::wstring>);
        c.push(SERVER_QUIT);
        self.loop();
        s.join_thread();
        CHECK(c.contents == lines{"bytes", "bytes", "bytes"});
    }
}

TEST_SUITE("TestAsynchatMocked") {
    TEST_CASE("test_blockingioerror") {
        // handle_read() ignores EAGAIN.
        class Mock : public asyncore::platform::stream {
        public:
            int fileno() const noexcept override { return 42; }
            asyncore::platform::transfer recv(std::span<char>) override { return {0, EAGAIN}; }
            asyncore::platform::transfer send(std::string_view data) override {
                return {data.size(), 0};
            }
            int getsockopt(int, int) override { return 0; }
            void close() override {}
        };

        class async_chat : public asynchat::async_chat {
        public:
            bool called = false;
            void handle_error() override { called = true; }
        };

        async_chat dispatcher;
        dispatcher.set_socket(socket_t(std::make_unique<Mock>()));

        dispatcher.handle_read();
        CHECK_FALSE(dispatcher.called);

        dispatcher.del_channel();
    }
}

TEST_SUITE("TestHelperFunctions") {
    TEST_CASE("test_find_prefix_at_end") {
        CHECK(asynchat::find_prefix_at_end("qwerty\r", "\r\n") == 1);
        CHECK(asynchat::find_prefix_at_end("qwertydkjf", "\r\n") == 0);
    }
}

TEST_SUITE("TestNotConnected") {
    TEST_CASE("test_disallow_negative_terminator") {
        asynchat::async_chat client;
        CHECK_THROWS_AS(client.set_terminator(-1), std::invalid_argument);
    }
}
