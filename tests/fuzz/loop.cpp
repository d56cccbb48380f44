// The loop on every mechanism in lockstep.  The input is a program: edits of the map, what the hooks
// do, and what the peers do on real sockets and pipes.  The program runs once on each mechanism, and
// the logs of the hooks and of the map must be equal.  No channel and no descriptor may be left.
#include <asyncore/asyncore.hpp>
#include <asyncore/platform/sigpipe.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <array>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.hpp"

namespace {

using asyncore::channel_map;
using asyncore::socket_t;
using asyncore::platform::unique_fd;
using fuzz::fail;

constexpr unsigned slots = 6;

/// One step of the program, or of what a hook does.
struct step {
    unsigned what, slot, amount;
};

class world;

/// A channel that logs its hooks, and does in each what the program says.
class actor : public asyncore::dispatcher {
public:
    actor(world& all, unsigned slot, unsigned flags, channel_map* map);
    ~actor() override;

    /// Sets what the channel wants, and says so.
    void want(bool reads, bool writes) {
        reads_ = reads && directions_ != 'w';
        writes_ = writes && directions_ != 'r';
        for (auto* map : holders_()) map->interest_changed(_fileno);
    }

    bool readable() override { return reads_; }
    bool writable() override { return writes_; }
    void handle_read() override;
    void handle_write() override;
    void handle_expt() override;
    void handle_connect() override;
    void handle_close() override;
    void handle_error() override;
    void handle_accepted(socket_t sock, const asyncore::address& addr) override;
    void log_info(std::string_view, std::string_view) override {}
    void close() override;

    const unsigned slot;
    char directions_ = 'b';  // 'r' or 'w' for the end of a pipe, else both

private:
    std::array<channel_map*, 2> holders_() const;

    world& world_;
    bool reads_ = true, writes_ = false;
    const bool bites_, closes_, errs_;
};

/// What there is of one slot.
struct place {
    actor* channel = nullptr;         // null: there is none
    std::unique_ptr<actor> borrowed;  // null: the map owns it
    socket_t peer;
    unique_fd pipe_peer;
    std::deque<step> hooks;  // what its hooks will do, one step a hook
};

class world {
public:
    std::string log;
    channel_map map, other;  // a channel may be in both

    world(std::string_view mechanism, unsigned flags)
        : map(std::string(mechanism)),
          other(std::string(mechanism)),
          mechanism_(mechanism),
          use_poll_((flags & 1) != 0) {
        for (auto* each : {&map, &other}) {
            each->exact = (flags & 2) != 0;
            each->check_promises = true;
            each->log = [this](std::string_view, std::string_view) { note("fault"); };
        }
    }
    ~world();
    world(const world&) = delete;
    world& operator=(const world&) = delete;

    void run(fuzz::decisions program);

    /// Logs a hook, and takes the hook's step.  The channel may be gone afterwards.
    void hook(unsigned slot, std::string_view name);
    void note(std::string_view what) { log.append(" ").append(what); }
    place& at(unsigned slot) { return places_[slot]; }
    void open(unsigned slot, unsigned flags, socket_t accepted = {});

    int living = 0;

private:
    void take(const step& next, fuzz::decisions* program);
    void act(const step& next, fuzz::decisions* program);
    void turn(channel_map& turned, long count);
    void connect(unsigned slot);
    void edit_other(unsigned amount, actor* channel);
    void note_map(const channel_map& noted);
    void peer_writes(place& of, std::size_t count);
    void peer_reads(place& of, std::size_t count);

    const std::string mechanism_;
    const bool use_poll_;
    std::array<place, slots> places_;
    std::vector<socket_t> clients_;      // that have connected to listeners
    std::vector<unique_fd> duplicates_;  // of descriptors of channels
    int turns_ = 0;                      // one inside another
};

// ---------------------------------------------------------------------------
// The channel.
// ---------------------------------------------------------------------------

actor::actor(world& all, unsigned number, unsigned flags, channel_map* map)
    : dispatcher(map),
      slot(number),
      world_(all),
      bites_((flags & 32) != 0),
      closes_((flags & 64) == 0),
      errs_((flags & 128) != 0) {
    ++world_.living;
    asked_every_turn_ = (flags & 16) != 0;
    world_.at(slot).channel = this;
}

actor::~actor() {
    --world_.living;
    auto& mine = world_.at(slot);
    if (mine.channel == this) mine.channel = nullptr;
}

/// The maps that this channel can be in.
std::array<channel_map*, 2> actor::holders_() const { return {&world_.map, &world_.other}; }

void actor::close() {
    // A channel leaves every map before its descriptor is closed.
    const int fd = _fileno;
    for (auto* map : holders_())
        if (fd >= 0 && map->get(fd) == this) map->erase(fd);
    dispatcher::close();
}

void actor::handle_read() {
    std::array<char, 4096> room;
    const asyncore::alive still_here(*this);
    const auto got = recv(std::span(room.data(), bites_ ? 3 : room.size()));
    world_.note("got" + std::to_string(got));
    if (still_here) world_.hook(slot, "read");
}

void actor::handle_write() {
    const asyncore::alive still_here(*this);
    const auto sent = bites_ ? send("x") : send("some text");
    world_.note("sent" + std::to_string(sent));
    if (still_here) world_.hook(slot, "write");
}

void actor::handle_expt() { world_.hook(slot, "expt"); }
void actor::handle_connect() { world_.hook(slot, "connect"); }

void actor::handle_close() {
    if (closes_) close();
    world_.hook(slot, "close");
}

void actor::handle_error() {
    const auto type = std::get<1>(asyncore::compact_traceback());
    world_.note(type);
    if (!errs_) return world_.hook(slot, "error");
    const asyncore::alive still_here(*this);
    world_.hook(slot, "error");
    if (still_here) dispatcher::handle_error();
}

void actor::handle_accepted(socket_t sock, const asyncore::address&) {
    for (unsigned free = 0; free < slots; ++free) {
        if (world_.at(free).channel) continue;
        world_.open(free, 8, std::move(sock));
        break;
    }
    world_.hook(slot, "accepted");
}

// ---------------------------------------------------------------------------
// The world.
// ---------------------------------------------------------------------------

world::~world() {
    for (auto& each : places_) {
        each.hooks.clear();
        each.borrowed.reset();
        if (each.channel) each.channel->close();
    }
    other.clear();
    map.clear();
    other.sweep();
    map.sweep();
    if (living != 0) fail(std::to_string(living) + " channels are left");
}

void world::hook(unsigned slot, std::string_view name) {
    note(std::string(name) + std::to_string(slot));
    auto& mine = places_[slot];
    if (mine.hooks.empty()) return;
    const auto next = mine.hooks.front();
    mine.hooks.pop_front();
    act(next, nullptr);
}

/// Opens a channel of the kind that the flags name, unless the slot has a channel.
void world::open(unsigned slot, unsigned flags, socket_t accepted) {
    auto& mine = places_[slot];
    if (mine.channel) return;
    mine.borrowed.reset();
    mine.peer = {};
    mine.pipe_peer.reset();
    const bool owned = (flags & 8) != 0;
    std::shared_ptr<actor> shared;
    if (owned) shared = asyncore::spawn<actor>(*this, slot, flags, &map);
    else mine.borrowed = std::make_unique<actor>(*this, slot, flags, &map);
    auto& made = owned ? *shared : *mine.borrowed;
    if (accepted) return made.init(std::move(accepted), &map);
    const auto adopt_file = [&](unique_fd fd) {
        asyncore::platform::set_blocking(fd.get(), false);
        made.connected = true;
        made.set_socket(socket_t(std::make_unique<asyncore::file_wrapper>(fd.get())));
    };
    const auto kind = flags & 7;
    if (kind == 3 || kind == 4) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) fail("pipe2");
        unique_fd mine_end(ends[kind == 3 ? 0 : 1]);
        mine.pipe_peer.reset(ends[kind == 3 ? 1 : 0]);
        ::fcntl(mine.pipe_peer.get(), F_SETPIPE_SZ, 4096);
        made.directions_ = kind == 3 ? 'r' : 'w';
        made.want(true, false);
        return adopt_file(std::move(mine_end));
    }
    if (kind == 5) {
        made.create_socket(AF_UNIX, SOCK_STREAM);
        made.bind("");  // an abstract name that the kernel chooses
        return made.listen(5);
    }
    if (kind == 6) return adopt_file(unique_fd(::memfd_create("file", MFD_CLOEXEC)));
    auto [ours, theirs] = socket_t::pair(kind == 2 ? SOCK_SEQPACKET : SOCK_STREAM);
    ours.setsockopt(SOL_SOCKET, SO_SNDBUF, 4608);
    mine.peer = std::move(theirs);
    made.init(std::move(ours), &map);
}

void world::peer_writes(place& of, std::size_t count) {
    const std::string data(count, 'p');
    if (of.peer) of.peer.send(data);
    if (of.pipe_peer.get() < 0) return;
    const asyncore::platform::no_sigpipe guard;
    static_cast<void>(!::write(of.pipe_peer.get(), data.data(), data.size()));
}

void world::peer_reads(place& of, std::size_t count) {
    std::string room(count, '\0');
    if (of.peer) of.peer.recv(room);
    if (of.pipe_peer.get() >= 0)
        static_cast<void>(!::read(of.pipe_peer.get(), room.data(), room.size()));
}

/// Turns of the loop, one inside another at most twice.
void world::turn(channel_map& turned, long count) {
    if (turns_ == 3) return;
    struct nesting {
        int& depth;
        ~nesting() { --depth; }
    } const inside{++turns_};
    asyncore::loop(0.0, use_poll_, &turned, count);
}

/// A client connects to the listener in a slot.
void world::connect(unsigned slot) {
    auto* const listener = places_[slot].channel;
    if (!listener || !listener->accepting || !listener->socket) return;
    auto& client = clients_.emplace_back(AF_UNIX, SOCK_STREAM);
    note("connect" + std::to_string(client.connect_ex(listener->socket.getsockname())));
}

void world::edit_other(unsigned amount, actor* channel) {
    switch (amount % 4) {
    case 0:
        if (channel && channel->_fileno >= 0) other.set(channel->_fileno, *channel);
        return;
    case 1:
        if (channel && channel->_fileno >= 0) other.erase(channel->_fileno);
        return;
    case 2:
        return turn(other, 1);
    default:
        return map.swap(other);
    }
}

void world::act(const step& next, fuzz::decisions* program) {
    auto& mine = places_[next.slot];
    auto* const channel = mine.channel;
    const bool in_hook = program == nullptr;
    switch (next.what) {
    case 0:
        return open(next.slot, next.amount);
    case 1:  // what a hook of this channel will do
        if (in_hook || mine.hooks.size() > 8) return;
        mine.hooks.push_back({program->next() % 20, program->next() % slots, program->next()});
        return;
    case 2:
        return turn(map, 1 + next.amount % 3);
    case 3:
        return peer_writes(mine, next.amount % 64 + (next.amount > 250 ? 6000 : 1));
    case 4:
        return peer_reads(mine, next.amount * 32 + 1);
    case 5:
        if (next.amount % 2 == 0) {
            mine.peer = {};
            mine.pipe_peer.reset();
        } else if (mine.peer) {
            mine.peer.shutdown(next.amount % 4 == 1 ? SHUT_WR : SHUT_RDWR);
        }
        return;
    case 6:
        if (channel) channel->want((next.amount & 1) != 0, (next.amount & 2) != 0);
        return;
    case 7:
        if (channel) channel->close();
        return;
    case 8:
        if (channel && channel->_fileno >= 0) map.erase(channel->_fileno);
        return;
    case 9:
        if (channel && channel->_fileno >= 0) channel->add_channel(&map);
        return;
    case 10:  // destroys it; the map's channels are only closed
        if (mine.borrowed) mine.borrowed.reset();
        else if (channel) channel->close();
        return;
    case 11:
        if (!in_hook) return;
        if (next.amount % 5 == 0) throw std::runtime_error("a hook");
        if (next.amount % 5 == 1) throw std::system_error(ECONNRESET, std::generic_category());
        if (next.amount % 5 == 2) throw std::system_error(EIO, std::generic_category());
        if (next.amount % 5 == 3) throw asyncore::ExitNow();
        throw 1;
    case 12:  // leaves no room to write
        for (int i = 0; channel && channel->connected && i < 20; ++i)
            if (channel->send(std::string(1024, 'f')) == 0) break;
        return;
    case 13:
        if (next.amount % 4 == 0) return asyncore::close_all(&map);
        if (next.amount % 4 == 1) return map.clear();
        if (next.amount % 4 == 2) return map.ask_all();
        return map.update(other);
    case 14:
        return edit_other(next.amount, channel);
    case 15:  // a new poller
        return (next.amount % 2 == 0 ? map : other).use(mechanism_);
    case 16:
        if (channel && channel->connected) channel->send(std::string(next.amount, 's'));
        return;
    case 17:  // a duplicate, which keeps the file open
        if (channel && channel->_fileno >= 0)
            duplicates_.emplace_back(::fcntl(channel->_fileno, F_DUPFD_CLOEXEC, 3));
        return;
    case 18:
        return connect(next.slot);
    default:
        if (channel && channel->socket && !channel->socket.layer())
            channel->socket.shutdown(next.amount % 2 == 0 ? SHUT_WR : SHUT_RD);
    }
}

void world::take(const step& next, fuzz::decisions* program) {
    try {
        act(next, program);
    } catch (const std::exception& error) {
        note(std::string("left:") + error.what());
    } catch (...) {
        note("left");
    }
}

/// Notes which channels a map has, and verifies that it agrees with itself.
void world::note_map(const channel_map& noted) {
    std::size_t count = 0;
    log += " [";
    for (const auto& [fd, value] : noted) {
        ++count;
        if (noted.get(fd) != &value) fail("an entry is not under its descriptor");
        log += std::to_string(dynamic_cast<actor&>(value).slot);
    }
    log += "]";
    if (count != noted.size() || noted.keys().size() != count) fail("the size of the map");
}

void world::run(fuzz::decisions program) {
    while (program.left()) {
        const step next{program.next() % 20, program.next() % slots, program.next()};
        log += "\n" + std::to_string(next.what) + "," + std::to_string(next.slot) + "," +
               std::to_string(next.amount) + ":";
        take(next, &program);
        note_map(map);
        note_map(other);
    }
    log += "\nend:";
    take({2, 0, 2}, &program);
}

int next_descriptor() {
    const unique_fd next(::dup(0));
    return next.get();
}

std::string log_on(std::string_view mechanism, unsigned flags, fuzz::decisions program) {
    const int before = next_descriptor();
    std::string log;
    {
        world all(mechanism, flags);
        all.run(program);
        log = all.log;
    }
    if (next_descriptor() != before) fail("a descriptor is left");
    return log;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::decisions input(data, size);
    const auto flags = input.next();
    const auto& names = asyncore::platform::poller_names();
    const auto first = log_on(names[0], flags, input);
    for (const auto& name : names)
        if (name != names[0])
            fuzz::check_same("log on " + std::string(names[0]) + ", and on " + std::string(name),
                             first, log_on(name, flags, input));
    return 0;
}
