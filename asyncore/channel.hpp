// What the loop calls: the least that a value of the socket map must be.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace asyncore {

class channel_map;

/// Something with a descriptor that the loop asks and tells.  dispatcher is one; a class of your
/// own may be another.  Python: any object with these methods.
///
/// Lifetime: one made by spawn() is owned by the maps that it is in, and by whoever holds a
/// shared_ptr to it.  Any other is borrowed: its destructor takes it out of every map.  Either may
/// be destroyed inside its own hooks.
class channel : public std::enable_shared_from_this<channel> {
    friend class channel_map;

    /// The map entries that borrow this channel.  Null for most.
    struct borrowing {
        channel_map* map;
        int fd;
    };
    std::unique_ptr<std::vector<borrowing>> borrowings_;

public:
    channel() = default;
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;
    virtual ~channel();

    virtual bool readable() = 0;
    virtual bool writable() = 0;
    virtual void handle_read_event() = 0;
    virtual void handle_write_event() = 0;
    virtual void handle_expt_event() = 0;
    virtual void handle_close() = 0;
    virtual void handle_error() = 0;
    virtual void close() = 0;

    /// Whether this is a listener; one is never watched for writing.
    bool accepting = false;

    /// Whether readable() and writable() must be asked on every turn, as Python does.  False is a
    /// promise: what they answer changes only in hooks of this channel, in methods of the library,
    /// or where interest_changed() is called.  spawn() gives that promise for a class that
    /// overrides neither; a class may give it itself.
    bool asked_every_turn_ = true;

protected:
    /// Takes it out of the maps that borrow it.  For the destructor of a class that owns the
    /// descriptor: it must be out before the descriptor is closed.
    void leave_maps_() noexcept;

private:
    /// Whether `map` may go by asked_every_turn_ for its entry `fd`.
    virtual bool reports_changes_to(const channel_map&, int) const { return false; }
};

/// Tells whether a channel still exists after a hook that may have destroyed it.  Lives on the
/// stack, for a call.
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
    /// The calls under way in this thread that want to know.  One variable for the program and a
    /// shared library, in a program compiled with -fvisibility=hidden too.
    [[gnu::visibility("default")]] static inline constinit thread_local alive* innermost_ = nullptr;

    const channel* watched_;
    alive* outer_;
};

}  // namespace asyncore
