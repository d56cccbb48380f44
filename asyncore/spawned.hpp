// How long a channel lives that spawn() made.  When the last shared_ptr to the channel ends, one of the
// channel's own hooks may be running, and the thread may be another than the thread of its map.  So the
// channel is only *released* then.  The thread of its map destroys the channel between two turns.
#pragma once

#include <asyncore/channel.hpp>

#include <atomic>
#include <memory>
#include <thread>
#include <typeinfo>
#include <utility>

namespace asyncore {

/// The released channels that the calling thread has to destroy.
class released {
public:
    /// A turn begins and ends in this thread.  The end of the outermost turn destroys the channels.
    static void begin_turn() noexcept { ++turns_; }
    static void end_turn() noexcept {
        --turns_;
        if (first_) destroy();
    }
    /// While a hold exists, no channel is destroyed.  The end of the hold destroys no channel, either.
    struct hold {
        hold() noexcept { ++turns_; }
        ~hold() { --turns_; }
    };
    /// Destroys the channels, unless a turn is under way.
    static void destroy() noexcept;
    /// Adds a channel whose last shared_ptr has ended.
    static void add(channel& last) noexcept;

private:
    static void destroy_at_exit() noexcept;

    static constinit thread_local channel* first_;  // the order is that of the releases
    static constinit thread_local channel* last_;
    static constinit thread_local unsigned turns_;  // one inside another, on any map
};

/// The channels of one map that other threads released, until the thread of the map collects them.
class released_elsewhere {
public:
    /// The calling thread runs the loop of the map, from now on.
    void belong_to_this_thread() noexcept { thread_ = std::this_thread::get_id(); }
    /// Takes a channel that the calling thread released.
    /// Returns: false if the calling thread is to destroy it.
    bool take(channel& last) noexcept;
    /// Moves the channels to the list of the calling thread, which has to destroy them.
    void collect() noexcept {
        if (newest_ != nullptr) collect_and_leave(nullptr);
    }
    /// For a map that is destroyed: does what collect() does, and from now on take() takes no channel.
    void close() noexcept { collect_and_leave(closed()); }

private:
    void collect_and_leave(channel* newest) noexcept;
    /// What newest_ is after close(): no channel has this address.
    channel* closed() noexcept { return reinterpret_cast<channel*>(this); }

    std::atomic<std::thread::id> thread_{};   // no thread until the map's first loop
    std::atomic<channel*> newest_ = nullptr;  // a list, which begins with the last release
};

/// Exists while spawn() runs a constructor.  The channel that is made at `where` gets its shared_ptr
/// from it.
class spawning {
public:
    explicit spawning(const channel* where) noexcept
        : where_(where), outer_(std::exchange(innermost_, this)) {}
    ~spawning() { innermost_ = outer_; }
    spawning(const spawning&) = delete;
    spawning& operator=(const spawning&) = delete;

    /// Null until the constructor of the class channel has run.
    const std::shared_ptr<channel>& self() const noexcept { return self_; }
    /// The constructor has returned: the maps that borrow the channel own it from now on.
    void succeed();
    /// The constructor has thrown, and a failed_channel has taken the place of the channel.  Throws the
    /// exception being handled.  If the constructor gave a shared_ptr to the channel away, throws a
    /// std::logic_error instead, with that exception nested.
    [[noreturn]] void fail(const std::type_info& type) const;

private:
    friend class channel;
    [[gnu::visibility("default")]] static constinit thread_local spawning* innermost_;

    const channel* where_;
    spawning* outer_;
    std::shared_ptr<channel> self_;
};

/// Stands where a channel was whose constructor threw, for pointers that the constructor gave away.  It
/// wants nothing and does nothing.
class failed_channel : public channel {
public:
    explicit failed_channel(const std::shared_ptr<channel>& self) noexcept;
    bool readable() override;
    bool writable() override;
    void handle_read_event() override;
    void handle_write_event() override;
    void handle_expt_event() override;
    void handle_close() override;
    void handle_error() override;
    void close() override;
};

}  // namespace asyncore
