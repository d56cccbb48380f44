// A channel whose socket works through a stream: what the stream holds, and what it waits for.
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::socket_t;
using asyncore::platform::events;
using asyncore::platform::stream;
using asyncore::platform::transfer;

namespace {

/// Passes bytes on.
class plain : public stream {
public:
    explicit plain(socket_t sock) : sock_(std::move(sock)) {}
    int fileno() const noexcept override { return sock_.fileno(); }
    transfer recv(std::span<char> buffer) override { return sock_.recv(buffer); }
    transfer send(std::string_view data) override { return sock_.send(data); }
    int getsockopt(int level, int option) override { return sock_.getsockopt(level, option); }
    void close() override { sock_.close(); }

protected:
    socket_t sock_;
};

/// Reads records of up to 16384 bytes, as TLS does, and gives them away in pieces.
class in_records : public plain {
public:
    bool says = true;  // what is pending
    explicit in_records(socket_t sock, bool it_says = true)
        : plain(std::move(sock)), says(it_says) {}
    std::size_t pending() override { return says ? record_.size() : plain::pending(); }
    transfer recv(std::span<char> buffer) override {
        if (record_.empty()) {
            std::string whole(16384, '\0');
            const auto got = sock_.recv(whole);
            if (got.error != 0 || got.count == 0) return got;
            record_ = whole.substr(0, got.count);
        }
        const auto count = std::min(buffer.size(), record_.size());
        std::copy_n(record_.begin(), count, buffer.begin());
        record_.erase(0, count);
        return {count, 0};
    }

private:
    std::string record_;
};

/// Has no byte for the channel until a record of 64 bytes is complete, and sends a record byte by byte.
class slow_records : public plain {
public:
    using plain::plain;
    transfer recv(std::span<char> buffer) override {
        std::string part(64 - record_.size(), '\0');
        const auto got = sock_.recv(part);
        if (got.error != 0) return got;
        record_ += part.substr(0, got.count);
        if (record_.size() < 64) return {0, EAGAIN};
        std::copy_n(record_.begin(), 64, buffer.begin());
        record_.clear();
        return {64, 0};
    }
    transfer send(std::string_view data) override {
        const auto done = sock_.send(data.substr(sent_, 1));
        if (done.error != 0) return done;
        if (++sent_ < data.size()) return {0, EAGAIN};
        return {std::exchange(sent_, 0), 0};
    }

private:
    std::string record_;
    std::size_t sent_ = 0;
};

/// Must write once before it can read, as TLS does that negotiates anew.
class writes_first : public plain {
public:
    using plain::plain;
    bool has_written = false;
    events recv_needs() override { return has_written ? events::read : events::write; }
    transfer recv(std::span<char> buffer) override {
        if (has_written) return sock_.recv(buffer);
        const auto sent = sock_.send("hello");
        has_written = sent.error == 0;
        return {0, EAGAIN};
    }
};

/// Says farewell when it is closed, and when it is destroyed.
class polite : public plain {
public:
    using plain::plain;
    ~polite() override { say(); }
    void close() override {
        say();
        sock_.close();
    }
    transfer send(std::string_view data) override {
        return asyncore::platform::transfer_result(
            ::write(sock_.fileno(), data.data(), data.size()));
    }

private:
    void say() {
        if (sock_) send("farewell");
    }
};

/// Says farewell when it ends its side.
class says_the_end : public polite {
public:
    using polite::polite;
    void shutdown(int how) override {
        if (how != SHUT_RD) send("farewell");
        sock_.shutdown(how);
    }
};

struct lines : asynchat::async_chat {
    int messages = 0, closed = 0;
    template <class Layer>
    lines(std::unique_ptr<Layer> layer, channel_map* map)
        : async_chat(socket_t(std::move(layer)), map) {
        set_terminator("\n");
        connected = true;
    }
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override { ++messages; }
    void handle_close() override {
        ++closed;
        close();
    }
};

}  // namespace

TEST_CASE("stream: what a stream has decrypted is read although the descriptor has nothing more") {
    for (const bool use_poll : {false, true}) {
        for (const bool peer_closes : {false, true}) {
            for (const bool says : {false, true}) {
                CAPTURE(use_poll);
                CAPTURE(peer_closes);
                CAPTURE(says);
                channel_map map;
                auto [ours, theirs] = socket_t::pair();
                auto chat = asyncore::spawn<lines>(
                    std::make_unique<in_records>(std::move(ours), says), &map);
                chat->asked_every_turn_ = says;
                std::string sent;
                for (int i = 0; i < 12; ++i) sent += std::string(999, 'x') + "\n";
                REQUIRE(theirs.send(sent).count == sent.size());
                if (peer_closes) theirs.close();
                asyncore::loop(60.0, use_poll, &map, peer_closes ? 4 : 3);
                CHECK(chat->messages == 12);
                // As in Python, the poll delivery calls it for the end of file and for the hang-up.
                CHECK(chat->closed == (!peer_closes ? 0 : use_poll ? 2 : 1));
            }
        }
    }
}

TEST_CASE("stream: a turn that only serves what is pending does not wait") {
    channel_map map;
    auto [ours, theirs] = socket_t::pair();
    lines chat(std::make_unique<in_records>(std::move(ours)), &map);
    theirs.send(std::string(5000, 'x') + "\n");
    asyncore::loop(0.0, false, &map, 1);
    CHECK(chat.messages == 0);
    asyncore::loop(std::nullopt, false, &map, 1);  // for ever, if it waited
    CHECK(chat.messages == 1);
}

TEST_CASE("stream: a read that must write first waits for room") {
    for (const bool use_poll : {false, true}) {
        channel_map map;
        auto [ours, theirs] = socket_t::pair();
        auto layer = std::make_unique<writes_first>(std::move(ours));
        auto& first = *layer;
        const auto chat = asyncore::spawn<lines>(std::move(layer), &map);
        asyncore::loop(60.0, use_poll, &map, 1);
        CHECK(first.has_written);
        theirs.send("line\n");
        asyncore::loop(60.0, use_poll, &map, 1);
        CHECK(chat->messages == 1);
        asyncore::loop(0.0, use_poll, &map, 1);  // it is not watched for writing any more
        CHECK(chat->messages == 1);
        CHECK(chat->closed == 0);
    }
}

TEST_CASE("stream: no write of a stream kills the process when the peer is gone") {
    channel_map map;
    auto [ours, theirs] = socket_t::pair();
    auto [more, gone] = socket_t::pair();
    lines closing(std::make_unique<polite>(std::move(ours)), &map);
    {
        lines destroyed(std::make_unique<polite>(std::move(more)), &map);
        theirs.close();
        gone.close();
        closing.push("line\n");
    }
    CHECK(closing.closed == 1);
    CHECK(map.empty());
}

TEST_CASE("stream: where the library guessed that bytes are pending, recv() returns 0 for none") {
    struct reader : asyncore::dispatcher {
        using dispatcher::dispatcher;
        std::vector<std::size_t> counts;
        bool failed = false;
        bool writable() override { return false; }
        void handle_read() override { counts.push_back(recv(5).size()); }
        void handle_error() override { failed = true; }
    };
    channel_map map;
    auto [ours, theirs] = socket_t::pair();
    reader channel(socket_t(std::make_unique<plain>(std::move(ours))), &map);
    theirs.send("12345");
    asyncore::loop(0.0, false, &map, 3);
    CHECK(channel.counts == std::vector<std::size_t>{5, 0});
    CHECK_FALSE(channel.failed);
}

TEST_CASE("stream: shutdown() of a socket is that of its stream") {
    auto [ours, theirs] = socket_t::pair();
    socket_t plainly(std::make_unique<plain>(std::move(ours)));
    plainly.shutdown(SHUT_WR);  // as the system does it, unless a stream overrides it
    std::string data(100, '\0');
    CHECK(theirs.recv(data).count == 0);

    auto [more, others] = socket_t::pair();
    socket_t politely(std::make_unique<says_the_end>(std::move(more)));
    politely.shutdown(SHUT_RD);
    CHECK(others.recv(data).error == EAGAIN);
    politely.shutdown(SHUT_WR);
    CHECK(others.recv(data).count == 8);
    others.close();
    const auto shut_after_the_peer = [&] { politely.shutdown(SHUT_WR); };
    CHECK_NOTHROW(shut_after_the_peer());  // and raises no SIGPIPE
}

TEST_CASE(
    "stream: a channel does not rest while its stream takes in, or sends, the parts of a record") {
    for (const bool use_poll : {false, true}) {
        channel_map map;
        auto [ours, theirs] = socket_t::pair();
        lines chat(std::make_unique<slow_records>(std::move(ours)), &map);
        const auto record = std::string(63, 'x') + "\n";
        for (const char byte : record) {
            theirs.send({&byte, 1});
            asyncore::loop(0.0, use_poll, &map, 1);
        }
        CHECK(chat.messages == 1);

        chat.push(record);
        for (std::size_t i = 1; i < record.size(); ++i) asyncore::loop(0.0, use_poll, &map, 1);
        CHECK(!chat.writable());
        std::string data(100, '\0');
        CHECK(theirs.recv(data).count == record.size());
    }
}
