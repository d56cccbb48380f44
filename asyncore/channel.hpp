// What the loop calls: the least that a value of the socket map must be.
#pragma once

#include <asyncore/platform/socket.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace asyncore {

class channel;

class released_elsewhere;

/// A map, as the channels in it see it: something that holds channels under descriptors.
class channel_holder {
public:
    /// Puts `value` under `fd`, in place of the channel that may stand there.
    virtual void set(int fd, channel& value) = 0;
    /// Returns: whether a channel stood there.
    virtual bool erase(int fd) = 0;
    /// The channel under `fd`, which this map borrows, is being destroyed.  Erases it.
    virtual void lose(int fd) noexcept = 0;

protected:
    channel_holder();
    ~channel_holder() = default;
    /// The shared_ptr to `value`.  Null if spawn() did not make the channel, or has not finished to make
    /// it: then the map borrows the channel.
    static std::shared_ptr<channel> owner_of(channel& value);
    /// Whether spawn() has not finished to make the channel: then spawn() sets it again.
    static bool is_being_made(const channel& value) noexcept;
    /// Notes in `value` that the thread of this map destroys it, even if another thread releases it.
    void be_home_of(channel& value) const noexcept;
    /// Notes in `value` that this map borrows it under `fd`, or that the map no longer does.
    void borrow(channel& value, int fd);
    void end_borrowing(channel& value, int fd) noexcept;

    std::shared_ptr<released_elsewhere> released_elsewhere_;
};

/// Something with a descriptor that the loop asks and calls.  A dispatcher is a channel; a class of
/// your own may be another.  Python: any object with these methods.
///
/// A name that ends in an underscore names something that Python does not have.
///
/// Lifetime: a channel that spawn() made is owned by the maps that hold it, and by every shared_ptr
/// to it, and is destroyed between two turns.  Any other channel is borrowed: its destructor takes it
/// out of every map.  A borrowed channel may be destroyed inside its own hooks.
class channel {
public:
    channel();
    channel(const channel&) = delete;  // keep a std::shared_ptr, which spawn() returns
    channel& operator=(const channel&) = delete;
    virtual ~channel();

    /// The predicates: whether the loop shall wait until the descriptor can be read, or written to.
    virtual bool readable() = 0;
    virtual bool writable() = 0;
    /// The loop calls the next three for what the wait found: bytes, a connection or the end of file;
    /// room, or a connect that has ended; out-of-band data.
    virtual void handle_read_event() = 0;
    virtual void handle_write_event() = 0;
    virtual void handle_expt_event() = 0;
    virtual void handle_close() = 0;
    virtual void handle_error() = 0;
    virtual void close() = 0;

    /// Whether this channel is a listener.  A listener is never watched for writing.
    bool accepting = false;

    /// Whether readable() and writable() must be asked on every turn, as Python does.  False is a
    /// promise (Differs: D14): the answers change only in hooks of this channel, in methods of the
    /// library, or where interest_changed_() is called.  spawn() gives that promise for a class that
    /// overrides neither predicate; a class may also give it itself.
    bool asked_every_turn_ = true;

    /// The select delivery calls this in place of handle_write_event() if the descriptor also hung up.
    virtual void handle_hung_up_write_event_() { handle_write_event(); }

    /// Does for `flags` what readwrite() does, and returns true; or returns false, and readwrite() calls the
    /// hooks one by one.  For a channel whose hooks are in another language.
    virtual bool readwrite_(platform::events) { return false; }

    /// The shared_ptr to this channel.  It exists while the constructor of the channel runs, too.  See
    /// self().
    /// Throws: std::logic_error if spawn() did not make the channel.
    std::shared_ptr<channel> shared_from_this();
    /// Empty if spawn() did not make the channel.
    std::weak_ptr<channel> weak_from_this() const noexcept { return self_; }

    /// The stream that this channel reads and writes through, or null.
    platform::stream* stream_() const noexcept { return socket_ ? socket_->layer() : nullptr; }

    /// Whether this channel reports its changes to `map` and under `fd`.  Its promise counts only there.
    virtual bool reports_changes_to_(const channel_holder& map, int fd) const;

protected:
    /// Takes this channel out of the maps that borrow it.  The destructor of a class that owns the
    /// descriptor calls it, since an entry must go before its descriptor is closed.
    void leave_maps_() noexcept;
    /// Tells the loop where to look for a stream: in `own`, a socket that this channel owns.
    void use_stream_of_(const platform::socket& own) noexcept { socket_ = &own; }
    /// Takes over the shared_ptr of the channel that stood at this address; see failed_channel.
    void become_spawned_(const std::shared_ptr<channel>& self) noexcept;

private:
    friend class channel_holder;
    friend class released;
    friend class released_elsewhere;
    friend class spawning;
    /// What the end of the last shared_ptr calls: it releases the channel.  See spawned.hpp.
    struct release {
        void operator()(channel* last) const noexcept;
    };
    struct borrowing {
        channel_holder* map;
        int fd;
    };
    std::shared_ptr<channel> spawned_self_();
    void become_owned_();

    const platform::socket* socket_ = nullptr;
    std::unique_ptr<std::vector<borrowing>> borrowings_;  // null for most channels

    // Lifetime of a channel that spawn() made; see spawned.hpp.
    enum class life : unsigned char { borrowed, constructing, spawned };
    life life_ = life::borrowed;
    bool is_released_ = false;  // this channel is in a list of released channels
    channel* next_released_ = nullptr;
    std::weak_ptr<channel> self_;
    std::shared_ptr<released_elsewhere> home_;  // of the map that this channel entered last
};

/// Tells whether a channel still exists after a hook that may have destroyed it.  An object on the
/// stack, for the time of one call:
///
///     const alive still_here(*this);
///     handle_read();
///     if (!still_here) return;
class alive {
public:
    explicit alive(const channel& watched) noexcept
        : watched_(&watched), outer_(std::exchange(innermost_, this)) {}
    ~alive() { innermost_ = outer_; }
    alive(const alive&) = delete;
    alive& operator=(const alive&) = delete;
    explicit operator bool() const noexcept { return watched_ != nullptr; }

private:
    friend class channel;
    /// The list of all such objects of this thread.  It is defined in channel.cpp, so that an extension
    /// module that is loaded later has no list of its own.
    [[gnu::visibility("default")]] static constinit thread_local alive* innermost_;

    const channel* watched_;  // null: the channel was destroyed
    alive* outer_;
};

}  // namespace asyncore
