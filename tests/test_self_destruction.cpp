// A channel may be destroyed inside its own hooks, and the library does not touch it afterwards.
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::socket_t;

namespace {

/// Keeps the memory of destroyed channels, full of 0xEE, so that a later write to it is found.
class quarantine {
public:
    static void add(void* bytes, std::size_t size) {
        std::memset(bytes, filler, size);
        all().push_back({static_cast<unsigned char*>(bytes), size});
    }
    /// Frees it.  Returns: how many channels were destroyed since the last call, or -1 if the
    /// memory of one was written to afterwards.
    static int release() {
        int count = 0;
        bool undisturbed = true;
        for (const auto& [bytes, size] : std::exchange(all(), {})) {
            undisturbed = undisturbed && std::count(bytes, bytes + size, filler) ==
                                             static_cast<std::ptrdiff_t>(size);
            ::operator delete(bytes);
            ++count;
        }
        return undisturbed ? count : -1;
    }

private:
    static constexpr unsigned char filler = 0xEE;
    static std::vector<std::pair<unsigned char*, std::size_t>>& all() {
        static std::vector<std::pair<unsigned char*, std::size_t>> kept;
        return kept;
    }
};

template <class Channel>
struct quarantined : Channel {
    using Channel::Channel;
    static void* operator new(std::size_t size) { return ::operator new(size); }
    static void operator delete(void* bytes, std::size_t size) { quarantine::add(bytes, size); }
};

/// Destroys itself in the hook that `at` names, and then throws if `throws` is set.
struct self_destroying : quarantined<asynchat::async_chat> {
    using quarantined::quarantined;
    std::unique_ptr<self_destroying>* self = nullptr;
    std::string at;
    bool throws = false;

    /// Returns: whether it still exists.
    bool goes_on(std::string_view hook) {
        if (hook != at) return true;
        const bool then_throws = throws;
        self->reset();
        if (then_throws) throw asyncore::platform::os_error(EIO, "on purpose");
        return false;
    }
    std::size_t recv(std::span<char> buffer) override {
        return goes_on("recv") ? async_chat::recv(buffer) : 3;
    }
    std::size_t send(std::string_view data) override {
        return goes_on("send") ? async_chat::send(data) : 3;
    }
    void collect_incoming_data(std::string_view) override { goes_on("collect_incoming_data"); }
    void found_terminator() override { goes_on("found_terminator"); }
    void handle_connect() override { goes_on("handle_connect"); }
    void handle_close() override { goes_on("handle_close"); }
};

struct destroying_producer : asynchat::producer {
    self_destroying& channel;
    explicit destroying_producer(self_destroying& its_channel) : channel(its_channel) {}
    std::string more() override {
        const std::string answer = channel.throws ? "" : "more";
        channel.goes_on("more");
        return answer;
    }
};

/// Has a channel do `act`, in which it destroys itself, and checks that it is not touched
/// afterwards.
void check_untouched(const std::string& at, const asynchat::terminator_t& term, bool throws,
                     const std::function<void(self_destroying&)>& act) {
    CAPTURE(at);
    CAPTURE(throws);
    CAPTURE(term.number());
    CAPTURE(std::string(term.delimiter()));
    auto [ours, theirs] = socket_t::pair();
    channel_map map;
    REQUIRE(theirs.send("ab\ncd\nef").count == 8);
    auto one = std::make_unique<self_destroying>(std::move(ours), &map);
    one->self = &one;
    one->at = at;
    one->throws = throws;
    one->set_terminator(term);
    auto& channel = *one;
    if (throws) CHECK_THROWS_AS(act(channel), std::system_error);
    else CHECK_NOTHROW(act(channel));
    CHECK(!one);
    CHECK(map.empty());
    CHECK(quarantine::release() == 1);
}

}  // namespace

TEST_CASE("self-destruction: a channel destroyed while it reads is not touched again") {
    const auto read = [](self_destroying& channel) { channel.handle_read(); };
    const asynchat::terminator_t terminators[] = {
        {asynchat::none}, {2}, {100}, {"\n"}, {"cd\nef and more"}};
    for (const bool throws : {false, true})
        for (const auto& term : terminators) {
            check_untouched("recv", term, throws, read);
            check_untouched("collect_incoming_data", term, throws, read);
            if (term.number() == 2 || term.delimiter() == "\n")
                check_untouched("found_terminator", term, throws, read);
        }
}

TEST_CASE("self-destruction: a channel destroyed while it sends is not touched again") {
    for (const bool throws : {false, true}) {
        const auto check = [&](const std::string& at,
                               const std::function<void(self_destroying&)>& act) {
            check_untouched(at, asynchat::none, throws, act);
        };
        const std::string data = "some bytes that the queue borrows", many(10000, 'x');
        check("send", [&](self_destroying& c) { c.push(data); });
        check("send", [&](self_destroying& c) { c.push(many); });
        check("send", [&](self_destroying& c) { c.push_with_producer(data); });
        check("send", [&](self_destroying& c) {
            c.producer_fifo.append(asyncore::byte_buffer(data));
            c.handle_write();
        });
        check("more", [&](self_destroying& c) {
            c.push_with_producer(std::make_shared<destroying_producer>(c));
        });
        check("handle_close", [&](self_destroying& c) {
            c.close_when_done();
            c.handle_write();
        });
    }
}

TEST_CASE("self-destruction: a channel destroyed in handle_connect() is not touched again") {
    for (const bool throws : {false, true})
        for (const bool reads : {false, true})
            check_untouched("handle_connect", asynchat::none, throws,
                            [&](self_destroying& channel) {
                                channel.connected = false;
                                channel.connecting = true;
                                if (reads) channel.handle_read_event();
                                else channel.handle_write_event();
                            });
}

TEST_CASE("self-destruction: readwrite() drops the other events of a destroyed channel") {
    const auto all = static_cast<asyncore::platform::events>(0xff);
    for (const bool throws : {false, true})
        for (const std::string at : {"collect_incoming_data", "send"})
            check_untouched(at, asynchat::none, throws, [&](self_destroying& channel) {
                channel.producer_fifo.append(asyncore::byte_buffer("x"));
                asyncore::readwrite(channel, all);
            });
}

TEST_CASE("self-destruction: an exception of a destroyed channel leaves the loop") {
    // It is a std::system_error, which readwrite() would treat by its errno.
    for (const bool use_poll : {false, true})
        check_untouched(
            "collect_incoming_data", asynchat::none, true,
            [&](self_destroying& channel) { asyncore::loop(0.0, use_poll, channel._map, 1); });
}

TEST_CASE("self-destruction: a dispatcher may be destroyed in log_info() and in handle_close()") {
    struct logging : quarantined<asyncore::dispatcher_with_send> {
        using quarantined::quarantined;
        std::unique_ptr<logging>* self = nullptr;
        bool dies_logging = false, throws = false;
        void log_info(std::string_view, std::string_view) override {
            if (dies_logging) self->reset();
        }
        void handle_close() override {
            if (dies_logging) return dispatcher::handle_close();
            const bool then_throws = throws;
            self->reset();
            if (then_throws) throw asyncore::platform::os_error(ECONNRESET, "on purpose");
        }
    };
    for (const bool reads : {false, true})
        for (const bool dies_logging : {false, true})
            for (const bool throws : {false, true}) {
                if (dies_logging && throws) continue;
                CAPTURE(reads);
                CAPTURE(dies_logging);
                CAPTURE(throws);
                channel_map map;
                auto [ours, theirs] = socket_t::pair();
                auto one = std::make_unique<logging>(std::move(ours), &map);
                one->self = &one;
                one->dies_logging = dies_logging;
                one->throws = throws;
                theirs.close();  // so that recv() finds end of file, and send() fails with EPIPE
                std::array<char, 10> room{};
                const auto act = [&] {
                    if (reads) static_cast<void>(one->recv(room));
                    else one->send("x");
                };
                if (throws) CHECK_THROWS_AS(act(), std::system_error);
                else CHECK_NOTHROW(act());
                CHECK(!one);
                CHECK(map.empty());
                CHECK(quarantine::release() == 1);
            }
}

TEST_CASE("self-destruction: close_all() does not touch a channel that another close() destroyed") {
    struct closing : quarantined<asyncore::dispatcher> {
        using quarantined::quarantined;
        std::unique_ptr<closing>* other = nullptr;
        void close() override {
            if (other) other->reset();
            dispatcher::close();
        }
    };
    channel_map map;
    auto [ours, theirs] = socket_t::pair();
    auto one = std::make_unique<closing>(std::move(ours), &map);
    auto two = std::make_unique<closing>(std::move(theirs), &map);
    one->other = &two;
    asyncore::close_all(&map);
    CHECK(!two);
    CHECK(map.empty());
    CHECK(quarantine::release() == 1);
    one.reset();
    CHECK(quarantine::release() == 1);
}
