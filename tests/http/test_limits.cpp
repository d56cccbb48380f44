// What the HTTP server does with slow clients, on a clock that the tests set.
#include "../../docs/examples/http/request_handler.hpp"
#include "../support.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <doctest/doctest.h>

using namespace std::chrono_literals;

namespace {

/// A folder with an empty file, and with a sparse file that does not fit into the system's buffers.
std::string filled(const support::TempDir& folder) {
    std::ofstream(folder / "empty").close();
    std::ofstream(folder / "large").close();
    std::filesystem::resize_file(folder / "large", 1 << 30);
    return folder / "";
}

/// A session of the server, with its client.  A minute of patience, 500 bytes a second, and five
/// seconds to close are the defaults.
class session {
public:
    session() {
        auto [ours, theirs] = support::tcp_pair();
        client_ = std::move(ours);
        client_.setblocking(false);
        client_.setsockopt(SOL_SOCKET, SO_RCVBUF, 262144);  // of fixed size
        handler_ = asyncore::spawn<http::request_handler>(std::move(theirs), "peer", site_).get();
        fd_ = handler_->_fileno;
    }
    ~session() { asyncore::close_all(); }
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    bool is_open() const { return !site_.sessions.empty(); }

    void say(std::string_view data) {
        while (!data.empty() && is_open()) {
            data.remove_prefix(client_.send(data).count);
            turn();
        }
        while (is_open() && (is_on_the_way() || support::wait_readable(fd_, 0ms))) turn();
    }

    /// Reads so many bytes, or fewer if the server ends the connection before.
    std::string read(std::size_t size) {
        std::string all;
        while (all.size() < size) {
            std::string piece(std::min<std::size_t>(size - all.size(), 65536), '\0');
            const auto got = client_.recv(piece);
            if (got.error == EAGAIN) {
                turn();
                continue;
            }
            if (got.count == 0) break;
            all += piece.substr(0, got.count);
        }
        return all;
    }
    std::string read_all() { return read(std::string::npos / 2); }

    /// Lets time pass.
    void pass(std::chrono::seconds time) {
        site_.now += time;
        if (is_open()) handler_->check_time();
    }

private:
    static void turn() { asyncore::loop({.timeout = 0.001, .count = 1}); }

    bool is_on_the_way() const {
        int count = 0;
        REQUIRE(::ioctl(client_.fileno(), SIOCOUTQ, &count) == 0);
        return count > 0;
    }

    support::TempDir folder_;
    std::ostringstream log_;
    http::site site_{
        http::document_root(filled(folder_)), http::access_log(log_), {}, {}, http::clock::now()};
    asyncore::platform::socket client_;
    http::request_handler* handler_;  // not for a session that is closed
    int fd_;
};

constexpr std::string_view post = "POST / HTTP/1.0\r\nContent-Length: 1000000\r\n\r\n";

}  // namespace

TEST_SUITE("limits on a client's time") {
    TEST_CASE("a head that comes byte by byte has as much time as any other") {
        session with;
        with.say("GET / HT");
        for (int i = 0; i < 59; ++i) {
            with.pass(1s);
            with.say("T");
        }
        CHECK(with.is_open());
        with.pass(1s);
        CHECK(with.read(12) == "HTTP/1.0 408");
    }

    TEST_CASE("a silent client is closed without an answer") {
        session with;
        with.pass(59s);
        CHECK(with.is_open());
        with.pass(1s);
        CHECK(!with.is_open());
        CHECK(with.read_all() == "");
    }

    TEST_CASE("a body may take long, but not come more slowly than the least rate") {
        session with;
        with.say(post);
        for (int i = 0; i < 30; ++i) {
            with.say(std::string(29'999, 'x'));
            with.pass(59s);
            with.say("x");
        }
        with.pass(59s);
        CHECK(with.is_open());
        with.say(std::string(29'999, 'x'));
        with.pass(1s);
        CHECK(with.read(12) == "HTTP/1.0 408");
    }

    TEST_CASE("a body has the whole time from the end of the head on") {
        session with;
        with.pass(59s);
        with.say(post);
        with.pass(59s);
        CHECK(with.is_open());
        with.pass(1s);
        CHECK(with.read(12) == "HTTP/1.0 408");
    }

    TEST_CASE("a client that reads at the least rate gets all the time it needs") {
        session with;
        with.say("GET /large HTTP/1.0\r\n\r\n");
        for (int i = 0; i < 100; ++i) {
            CHECK(with.read(200'000).size() == 200'000);
            with.pass(59s);
        }
        CHECK(with.is_open());
    }

    TEST_CASE("a client that reads below the least rate is closed") {
        for (const std::size_t size : {0UL, 1UL, 400UL}) {
            session with;
            with.say("GET /large HTTP/1.0\r\n\r\n");
            with.pass(59s);  // what the systems take at once counts: the first minute is not slow
            CHECK(with.is_open());
            for (int i = 0; i < 60; ++i) {
                with.read(size);
                with.pass(2s);
            }
            CHECK(!with.is_open());
        }
    }

    TEST_CASE("after the answer a client has five seconds to close") {
        session with;
        with.say("GET /empty HTTP/1.0\r\n\r\n");
        CHECK(with.read_all().starts_with("HTTP/1.0 200"));
        with.pass(4s);
        CHECK(with.is_open());
        with.pass(1s);
        CHECK(!with.is_open());
    }

    TEST_CASE("after a refusal a client may go on sending, at the least rate") {
        session with;
        with.say("BREW / HTTP/1.0\r\n\r\n");
        CHECK(with.read_all().starts_with("HTTP/1.0 501"));
        for (int i = 0; i < 100; ++i) {
            with.say(std::string(2'500, 'x'));
            with.pass(4s);
        }
        CHECK(with.is_open());
        with.say("x");
        with.pass(1s);
        CHECK(!with.is_open());
    }
}
