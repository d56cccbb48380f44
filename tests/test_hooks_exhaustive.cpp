// Every throw and every action in every hook, at each call.  tests/conformance/exhaustive.py does the
// same beside CPython; this program does what a script cannot say, in hardened maps: channels that
// the test owns and destroys inside their own hooks, exceptions of C++, fork(2), pipes and datagrams.
//
// A world has a channel of each kind.  It is played once as it is, which tells how often each hook
// is called.  Then it is played once for each call and each action.  After each play:
//
//   - the two bystanders have answered every line;
//   - the listener serves one more client, unless the action ended the listener;
//   - the loop was left only by ExitNow and its kind, by a predicate, and by an error of handle_error();
//   - nothing goes on once there is nothing to do;
//   - the process has the descriptors that it had before.
//
// ASYNCORE_HOOKS=all plays all of it.  Else a quarter is played, of the first call of each hook.
#include "hooked.hpp"
#include "support.hpp"

#include <asyncore/platform/sigpipe.hpp>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::dispatcher;
using asyncore::socket_t;
using support::echoing;
using support::hooked;
using support::reading;

namespace {

std::ptrdiff_t open_descriptors() {
    const std::filesystem::directory_iterator entries("/proc/self/fd");
    return std::distance(begin(entries), end(entries));
}

/// A call of a hook: the first call has the number 1.
struct call {
    std::string role, hook;
    int number;
};

class world;
using act = void (*)(world&, dispatcher&, const std::string& role);

/// How much an action ends.
enum class ends { nothing, itself, peers, the_listener, all };

struct action {
    std::string name;
    act run;
    ends what = ends::nothing;
    bool throws = false;    // what handle_error() gets
    bool reraised = false;  // what leaves the loop
};

struct listening : hooked<dispatcher> {
    std::function<void(socket_t)> adopt;
    using hooked::hooked;
    void handle_accepted(socket_t sock, const asyncore::address&) override {
        if (tell("handle_accepted")) adopt(std::move(sock));
    }
};

struct echoing_sender : hooked<asyncore::dispatcher_with_send> {
    using hooked::hooked;
    void handle_read() override {
        const asyncore::alive still_here(*this);
        if (!tell("handle_read")) return;
        const auto data = recv(100);
        if (still_here && !data.empty()) send(data);
    }
    void initiate_send() override {
        if (tell("initiate_send")) hooked::initiate_send();
    }
};

/// Writes one byte in each turn, three times.
struct writing : hooked<asyncore::file_dispatcher> {
    int left = 3;
    using hooked::hooked;
    bool readable() override { return hooked::readable() && false; }
    bool writable() override { return hooked::writable() && left > 0; }
    void handle_write() override {
        --left;
        if (tell("handle_write")) send("w");
    }
};

/// Answers nothing, for its peer echoes.
struct silent : echoing {
    using echoing::echoing;
    void found_terminator() override { tell("found_terminator"); }
};

struct faulty : echoing {
    using echoing::echoing;
    void found_terminator() override {
        if (tell("found_terminator")) throw std::runtime_error("a fault of the program");
    }
};

class world final : public support::hook_watcher {
public:
    channel_map map;
    const bool use_poll, owned;

    world(bool poll_delivery, bool by_map, const call* planted, const action* wanted)
        : use_poll(poll_delivery), owned(by_map), planted_(planted), action_(wanted) {
        map.exact = false;
        map.check_promises = true;
        map.log = [](std::string_view, std::string_view) {};
    }
    ~world() { phase_ = phase::gone; }

    std::map<std::pair<std::string, std::string>, int> calls;
    bool fired = false;           // the action ran
    bool left_loop = false;       // an exception left the loop
    bool may_leave_loop = false;  // the action ran where an exception leaves the loop
    bool stale = false;           // an event reached a channel that has nothing to read
    std::string failure;          // of a bystander, of the new channel, or of the listener
    std::string idle_calls;       // hooks that were called when there was nothing to do

    void called(dispatcher& channel, const std::string& role, const std::string& hook) override {
        if (phase_ == phase::gone) return;
        const bool is_predicate = hook == "readable" || hook == "writable";
        if (!is_predicate && hook != "constructor") idle_calls += role + ' ' + hook + ' ';
        if (role == "fresh" && hook == "handle_read_event" && !fresh_may_read_) stale = true;
        if (hook == "handle_error") in_error_ = true;  // until the turn ends
        if (phase_ != phase::planting) return;
        const int number = ++calls[{role, hook}];
        if (fired || !planted_ || planted_->role != role || planted_->hook != hook ||
            planted_->number != number)
            return;
        fired = true;
        may_leave_loop = is_predicate || in_error_;
        action_->run(*this, channel, role);
    }

    void play();
    void turns(int count) {
        for (; count > 0; --count) {
            in_error_ = false;
            try {
                asyncore::loop(0.0, use_poll, &map, 1);
            } catch (...) {
                left_loop = true;
            }
        }
    }

    // For the actions.

    dispatcher* find(const std::string& role) {
        const auto found = kept_.find(role);
        return found == kept_.end() ? nullptr : found->second.get();
    }
    void destroy(const std::string& role) {
        const auto found = kept_.find(role);
        if (found == kept_.end()) return;
        if (owned && found->second.get()) map.erase(found->second.get()->_fileno);
        std::exchange(found->second.borrowed, nullptr).reset();
    }
    std::vector<std::string> peers_of(const std::string& role) {
        std::vector<std::string> peers;
        for (const auto& [name, kept] : kept_)
            if (name != role && name != "listener" && name != "first" && name != "last")
                peers.push_back(name);
        return peers;
    }
    void make_fresh(socket_t sock, socket_t peer) {
        peers_["fresh"] = support::blocking(std::move(peer));
        make<echoing>("fresh", std::move(sock), &map);
    }
    /// A channel that takes the socket of another one over, and so its entry.
    void make_heir(asyncore::platform::unique_fd fd) {
        if (fd.get() >= 0) make<silent>("heir", socket_t(std::move(fd)), &map);
    }
    void close_all_in_a_child() {
        const pid_t child = ::fork();
        if (child == 0) {
            phase_ = phase::gone;
            asyncore::close_all(&map);
            ::_exit(0);
        }
        REQUIRE(child > 0);
        REQUIRE(::waitpid(child, nullptr, 0) == child);
    }

private:
    struct holder {
        std::weak_ptr<dispatcher> owned;
        std::unique_ptr<dispatcher> borrowed;
        dispatcher* get() const { return borrowed ? borrowed.get() : owned.lock().get(); }
    };

    /// Returns: the channel.  The pointer to a borrowed channel does not own it.
    template <class T, class... Arguments>
    std::shared_ptr<T> make(const std::string& role, Arguments&&... arguments) {
        if (owned) {
            auto made = asyncore::spawn<T>(*this, role, std::forward<Arguments>(arguments)...);
            const bool hooks_predicates =
                planted_ && (planted_->hook == "readable" || planted_->hook == "writable");
            if (std::derived_from<T, asynchat::async_chat> && !hooks_predicates)
                made->asked_every_turn_ = false;
            kept_[role].owned = made;
            return made;
        }
        auto made = std::make_unique<T>(*this, role, std::forward<Arguments>(arguments)...);
        const std::shared_ptr<T> channel(std::shared_ptr<void>(), made.get());
        kept_[role].borrowed = std::move(made);
        return channel;
    }
    template <class T>
    void make_with_peer(const std::string& role) {
        auto [ours, theirs] = socket_t::pair();
        peers_[role] = support::blocking(std::move(theirs));
        make<T>(role, std::move(ours), &map);
    }
    /// What the test itself does may meet the exception of an action.
    void attempt(const std::function<void()>& step) {
        try {
            step();
        } catch (...) {
            if (!fired) throw;
        }
    }
    asynchat::async_chat* chat(const std::string& role) {
        return dynamic_cast<asynchat::async_chat*>(find(role));
    }
    void say(const std::string& role, std::string_view data, int flags = 0) {
        const auto peer = peers_.find(role);
        if (peer != peers_.end()) peer->second.send(data, flags | MSG_NOSIGNAL);
    }
    /// Has a bystander answer one line.
    void ask(const std::string& role, const std::string& line) {
        say(role, line);
        turns(3);
        expect(role, line);
    }
    void expect(const std::string& role, const std::string& line) {
        if (ended_all()) return;
        std::string got(100, '\0');
        const auto came = peers_[role].recv(got, MSG_DONTWAIT);
        got.resize(came.count);
        if (got != line && failure.empty()) failure = role + " answered \"" + got + "\"";
    }
    bool ended_all() const { return fired && action_->what == ends::all; }
    bool ended_listener() const {
        if (!fired) return false;
        return ended_all() || action_->what == ends::the_listener ||
               (action_->what == ends::itself && planted_->role == "listener");
    }

    void make_listener();
    void make_client();
    void make_files();
    void make_datagrams();
    void begin();
    void go_on();
    void end();
    void serve_one_more();

    const call* const planted_;
    const action* const action_;
    std::map<std::string, holder> kept_;
    std::map<std::string, socket_t> peers_;
    std::vector<asyncore::platform::unique_fd> files_;
    asyncore::address address_;
    int children_ = 0;
    enum class phase { planting, checking, gone } phase_ = phase::planting;
    bool in_error_ = false, fresh_may_read_ = false;
};

void world::make_listener() {
    const auto made = make<listening>("listener", &map);
    made->adopt = [this](socket_t sock) {
        // Each child is a channel of its own; the count takes them together.
        const auto name = "child" + std::to_string(++children_);
        holder& kept = kept_[name];
        if (owned) kept.owned = asyncore::spawn<echoing>(*this, "child", std::move(sock), &map);
        else kept.borrowed = std::make_unique<echoing>(*this, "child", std::move(sock), &map);
    };
    made->create_socket();
    made->bind({support::HOST, 0});
    made->listen(5);
    address_ = made->socket.getsockname();
}

void world::make_client() {
    const auto client = make<silent>("client", &map);
    client->create_socket();
    client->connect(address_);
}

void world::make_files() {
    support::pipe_ends in, out;
    files_.push_back(std::move(in.write));
    files_.push_back(std::move(out.read));
    attempt([&] { make<reading<asyncore::file_dispatcher>>("reader", in.read.get(), &map); });
    attempt([&] { make<writing>("writer", out.write.get(), &map); });
}

void world::make_datagrams() {
    const auto datagrams = make<reading<dispatcher>>("datagrams", &map);
    datagrams->create_socket(AF_INET, SOCK_DGRAM);
    datagrams->bind({support::HOST, 0});
    peers_["datagrams"] = socket_t(AF_INET, SOCK_DGRAM);
    peers_["datagrams"].connect_ex(datagrams->socket.getsockname());
}

void world::begin() {
    make_with_peer<echoing>("first");
    attempt([&] { make_listener(); });
    attempt([&] { make_client(); });
    make_files();
    attempt([&] { make_datagrams(); });
    attempt([&] { make_with_peer<echoing_sender>("sender"); });
    attempt([&] { make_with_peer<echoing>("producer"); });
    attempt([&] { make_with_peer<faulty>("faulty"); });
    attempt([&] {
        auto [ours, theirs] = support::tcp_pair();
        peers_["urgent"] = support::blocking(std::move(theirs));
        make<echoing>("urgent", std::move(ours), &map);
    });
    make_with_peer<echoing>("last");
    if (address_.port() != 0) {
        peers_["child1"] = support::blocking(socket_t(AF_INET, SOCK_STREAM));
        peers_["child1"].connect_ex(address_);
    }
}

/// A producer whose more() is a hook of its channel.
struct watched_producer : asynchat::producer {
    world& its_world;
    asynchat::async_chat& channel;
    int left = 2;
    watched_producer(world& w, asynchat::async_chat& c) : its_world(w), channel(c) {}
    std::string more() override {
        const asyncore::alive still_here(channel);
        its_world.called(channel, "producer", "more");
        return still_here && left-- > 0 ? "more" : "";
    }
};

void world::go_on() {
    say("child1", "hello\n");
    for (const std::string role : {"sender", "producer", "urgent"}) say(role, "a line\n");
    say("datagrams", "data");
    say("datagrams", "");
    {
        const asyncore::platform::no_sigpipe guard;  // the reader may be gone
        static_cast<void>(::write(files_.at(0).get(), "data", 4));
    }
    ask("first", "one\n");
    ask("last", "two\n");
    say("faulty", "a line\n");
    say("urgent", "!", MSG_OOB);
    attempt([&] {
        if (auto* const channel = chat("client")) channel->push("from the client\n");
    });
    attempt([&] {
        if (auto* const channel = chat("producer"))
            channel->push_with_producer(std::make_shared<watched_producer>(*this, *channel));
    });
    ask("first", "three\n");
    attempt([&] {
        if (auto* const channel = chat("producer")) channel->close_when_done();
    });
    ask("last", "four\n");
}

void world::end() {
    files_.clear();
    for (const std::string role : {"sender", "producer", "faulty", "urgent", "child1"})
        peers_[role].close();
    turns(2);
    ask("first", "five\n");
    ask("last", "six\n");
    fresh_may_read_ = true;
    if (peers_.contains("fresh")) ask("fresh", "seven\n");
    phase_ = phase::checking;
    if (!ended_listener()) serve_one_more();
    turns(3);
    idle_calls.clear();
    turns(5);
}

void world::serve_one_more() {
    auto caller = support::blocking(socket_t(AF_INET, SOCK_STREAM));
    if (caller.connect_ex(address_) != 0) {
        failure = "the listener is gone";
        return;
    }
    caller.send("one more\n");
    std::string got(100, '\0');
    for (int i = 0; i < 100; ++i) {
        asyncore::loop(0.05, use_poll, &map, 1);
        const auto came = caller.recv(got, MSG_DONTWAIT);
        if (came.error == EAGAIN) continue;
        if (std::string_view(got).substr(0, came.count) == "one more\n") return;
        break;
    }
    failure = "the listener serves no more";
}

void world::play() {
    begin();
    go_on();
    end();
}

// --- The actions.

template <class Exception>
void throw_it(world&, dispatcher&, const std::string&) {
    throw Exception();
}
template <int error>
void throw_errno_(world&, dispatcher&, const std::string&) {
    throw std::system_error(error, std::generic_category(), "on purpose");
}

void reuse(world& w, dispatcher& channel, const std::string& role) {
    auto [ours, theirs] = socket_t::pair();
    dispatcher* const victim = w.find(role == "sender" ? "urgent" : "sender");
    if (!victim || victim == &channel) return w.make_fresh(std::move(ours), std::move(theirs));
    const int fd = victim->_fileno;
    victim->close();
    if (fd < 0) return w.make_fresh(std::move(ours), std::move(theirs));
    REQUIRE(::dup2(ours.fileno(), fd) == fd);
    w.make_fresh(socket_t(asyncore::platform::unique_fd(fd)), std::move(theirs));
}

const std::vector<action> throws{
    {"an int", [](world&, dispatcher&, const std::string&) { throw 7; }, ends::itself, true},
    {"std::runtime_error",
     [](world&, dispatcher&, const std::string&) { throw std::runtime_error("on purpose"); },
     ends::itself, true},
    {"std::logic_error",
     [](world&, dispatcher&, const std::string&) { throw std::logic_error("on purpose"); },
     ends::itself, true},
    {"std::bad_alloc", throw_it<std::bad_alloc>, ends::itself, true},
    {"ECONNRESET", throw_errno_<ECONNRESET>, ends::itself, true},
    {"EBADF", throw_errno_<EBADF>, ends::itself, true},
    {"EAGAIN", throw_errno_<EAGAIN>, ends::itself, true},
    {"ENOMEM", throw_errno_<ENOMEM>, ends::itself, true},
    {"ExitNow", throw_it<asyncore::ExitNow>, ends::itself, true, true},
    {"SystemExit", throw_it<asyncore::SystemExit>, ends::itself, true, true},
};

const std::vector<action> actions{
    {"close itself", [](world&, dispatcher& c, const std::string&) { c.close(); }, ends::itself},
    {"destroy itself", [](world& w, dispatcher&, const std::string& role) { w.destroy(role); },
     ends::itself},
    {"close and destroy itself",
     [](world& w, dispatcher& c, const std::string& role) {
         c.close();
         w.destroy(role);
     },
     ends::itself},
    {"destroy itself and throw",
     [](world& w, dispatcher&, const std::string& role) {
         w.destroy(role);
         throw std::runtime_error("on purpose");
     },
     ends::itself},
    {"del_channel", [](world&, dispatcher& c, const std::string&) { c.del_channel(); },
     ends::itself},
    {"handle_close", [](world&, dispatcher& c, const std::string&) { c.handle_close(); },
     ends::itself},
    {"handle_read", [](world&, dispatcher& c, const std::string&) { c.handle_read(); },
     ends::itself},
    {"take another socket",
     [](world& w, dispatcher& c, const std::string&) { c.init(socket_t::pair().first, &w.map); },
     ends::itself},
    {"close the others",
     [](world& w, dispatcher&, const std::string& role) {
         for (const auto& each : w.peers_of(role))
             if (auto* const channel = w.find(each)) channel->close();
     },
     ends::peers},
    {"destroy the others",
     [](world& w, dispatcher&, const std::string& role) {
         for (const auto& each : w.peers_of(role)) w.destroy(each);
     },
     ends::peers},
    {"destroy the listener",
     [](world& w, dispatcher&, const std::string&) { w.destroy("listener"); }, ends::the_listener},
    {"reuse the descriptor of another channel", reuse, ends::peers},
    {"make a channel",
     [](world& w, dispatcher&, const std::string&) {
         auto [ours, theirs] = socket_t::pair();
         w.make_fresh(std::move(ours), std::move(theirs));
     }},
    {"hand its socket over",
     [](world& w, dispatcher& c, const std::string&) {
         if (!c.socket.layer()) w.make_heir(c.socket.detach());
     },
     ends::itself},
    {"clear the map", [](world& w, dispatcher&, const std::string&) { w.map.clear(); }, ends::all},
    {"close_all", [](world& w, dispatcher&, const std::string&) { asyncore::close_all(&w.map); },
     ends::all},
    {"swap the map twice",
     [](world& w, dispatcher&, const std::string&) {
         channel_map other;
         w.map.swap(other);
         w.map.swap(other);
     }},
    {"take another mechanism",
     [](world& w, dispatcher&, const std::string&) {
         w.map.use(w.map.mechanism() == "poll" ? "select" : "poll");
     }},
    {"ask all again", [](world& w, dispatcher&, const std::string&) { w.map.ask_all(); }},
    {"rest", [](world& w, dispatcher& c, const std::string&) { w.map.rest(c._fileno); }},
    {"a nested loop",
     [](world& w, dispatcher&, const std::string&) { asyncore::loop(0.0, w.use_poll, &w.map, 1); }},
    {"three nested loops under the other delivery",
     [](world& w, dispatcher&, const std::string&) {
         asyncore::loop(0.0, !w.use_poll, &w.map, 3);
     }},
    {"fork", [](world& w, dispatcher&, const std::string&) { w.close_all_in_a_child(); }},
};

// --- The plays.

bool plays_all() {
    const char* const value = std::getenv("ASYNCORE_HOOKS");
    return value && std::string_view(value) == "all";
}

/// The calls of a play in which nothing is planted.
std::vector<call> all_calls(bool use_poll, bool owned, bool predicates) {
    const call none{"", predicates ? "readable" : "", 0};
    world plain(use_poll, owned, &none, nullptr);
    plain.play();
    CHECK(plain.failure == "");
    CHECK(!plain.left_loop);
    CHECK(plain.idle_calls == "");
    std::vector<call> found;
    for (const auto& [where, count] : plain.calls) {
        const auto& [role, hook] = where;
        if (role == "first" || role == "last") continue;
        if ((hook == "readable" || hook == "writable") != predicates) continue;
        // The predicates of one turn are like those of the next: three calls are enough.
        const int most = !plays_all() ? 1 : predicates ? std::min(count, 3) : count;
        for (int number = 1; number <= most; ++number) found.push_back({role, hook, number});
    }
    return found;
}

void play(const call& where, const action& what, bool use_poll, bool owned) {
    CAPTURE(where.role);
    CAPTURE(where.hook);
    CAPTURE(where.number);
    CAPTURE(what.name);
    CAPTURE(use_poll);
    CAPTURE(owned);
    bool fired = false;
    for (int tries = 0; tries < 3 && !fired; ++tries) {  // a busy kernel may be late
        const auto before = open_descriptors();
        {
            world planted(use_poll, owned, &where, &what);
            planted.play();
            fired = planted.fired;
            CHECK(planted.failure == "");
            CHECK(!planted.stale);
            CHECK(planted.idle_calls == "");
            if (what.throws && !what.reraised && !planted.may_leave_loop) CHECK(!planted.left_loop);
        }
        CHECK(open_descriptors() == before);
    }
    CHECK(fired);
}

void play_all(const std::vector<action>& wanted, const char* name) {
    channel_map().mechanism();  // opens what a process opens only once
    int plays = 0, turn = 0;
    std::set<std::string> hooks;
    for (const bool use_poll : {false, true})
        for (const bool owned : {false, true})
            for (const bool predicates : {false, true})
                for (const auto& where : all_calls(use_poll, owned, predicates)) {
                    hooks.insert(where.role + " " + where.hook);
                    for (const auto& what : wanted) {
                        ++turn;
                        if (!plays_all() && turn % 4 != 2 * use_poll + owned) continue;
                        play(where, what, use_poll, owned);
                        ++plays;
                    }
                }
    std::cout << name << " on " << channel_map().mechanism() << ": " << plays << " plays, "
              << hooks.size() << " hooks, " << wanted.size() << " actions each" << std::endl;
}

}  // namespace

TEST_CASE("hooks: what any hook throws costs at most its own channel") {
    play_all(throws, "throws");
}

TEST_CASE("hooks: any hook may end, make or reorder channels, run a loop, and fork") {
    play_all(actions, "actions");
}
