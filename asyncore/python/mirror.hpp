// The C++ map of a dict of Python.
//
// The dict is the truth.  A program may edit it as it likes; nothing tells the mirror so.  A turn first looks
// at the version of the dict, a number that CPython changes with each edit.  If the number is another one,
// sync() walks over the dict and edits the mirror.  For an object of Python the mirror holds a python_channel,
// for a channel of C++ (see exported.hpp) the channel itself.
#pragma once

#include <asyncore/loop.hpp>
#include <asyncore/python/dict_version.hpp>
#include <asyncore/python/object.hpp>
#include <asyncore/python/python_channel.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

namespace asyncore::python {

#pragma GCC visibility push(default)

class mirror final : public channel_map {
public:
    /// The mirror of `dict`, made if there is none.
    static mirror& of(PyObject* dict);
    /// The mirror of `dict`, or null.
    static mirror* find(PyObject* dict) noexcept;
    ~mirror() override;

    /// Whether the dict is as the last sync() saw it.
    bool is_current() const noexcept { return version_ == version_of(dict_); }
    /// The stock add_channel() entered `fd`: the descriptor may be another file than before.
    void entered(int fd) { entered_.push_back(fd); }

    /// The object that the dict has under `key` now, or an empty one.
    object get_in_dict(PyObject* key) const;
    /// The function `name` of the module whose poll() or poll2() runs.
    object function(PyObject* name) const;
    /// The hooks of the channel under `fd` run: they may close its descriptor behind the back of the dict.
    void serves(int fd) { served_.push_back(fd); }

    /// One turn, for the module that has `globals`.
    /// Returns: false, without a turn, if the dict has a key that is no descriptor.
    bool take_turn(platform::timeout limit, delivery how, PyObject* globals);

    // Channels of C++, each with its wrapper; see wrapper.hpp.

    /// A wrapper keeps this map alive, or no longer.
    void bind() noexcept { ++bound_; }
    void unbind() noexcept { --bound_; }
    /// A hook of Python has run.  A channel of C++ that it took out of the dict gets no event any more.
    void follow_edits() {
        if (has_channels_ && !is_current()) sync();
    }
    bool holds_channel(const channel* value) const noexcept;
    /// The wrapper of the channel is freed, so the dict has it no more.
    void forget_channel(const channel& value);
    object dict() const { return object::borrow(dict_); }

    // What C++ does to the map shows in the dict at once.
    void set(int fd, channel& value) override;
    bool erase(int fd) override;

    /// Whether another thread is in a turn on this map.
    bool is_used_elsewhere() const noexcept {
        return depth_ > 0 && thread_ != std::this_thread::get_id();
    }

private:
    /// Exists while a turn runs: the dict and the module live at least so long.
    class turn_scope {
    public:
        turn_scope(mirror& map, PyObject* globals);
        ~turn_scope();

    private:
        mirror& map_;
        const object dict_, globals_;
        PyObject* const outer_globals_;
    };

    explicit mirror(PyObject* dict) : dict_(dict) {}
    std::unique_ptr<platform::poller> new_poller_(std::string_view mechanism) override;
    /// Makes the mirror equal to the dict.  It may run code of Python.
    bool sync();
    bool walk();
    void drop(int fd);
    std::unique_ptr<python_channel>& place_for(int fd);
    void put(int fd, PyObject* key, PyObject* value);
    bool holds(int fd, PyObject* value) const;
    void watch_anew();
    void close_the_closed();

    PyObject* const dict_;       // borrowed: the mirror goes before its address means another dict
    std::uint64_t version_ = 0;  // of the dict, at the last sync(); 0: never
    std::vector<std::unique_ptr<python_channel>> channels_;  // by descriptor
    std::vector<int> entered_;                               // see entered()
    PyObject* globals_ = nullptr;   // of the module whose turn runs; borrowed
    unsigned depth_ = 0;            // how many turns are under way, one inside another
    unsigned bound_ = 0;            // how many wrappers need this map
    bool has_channels_ = false;     // it has, or had, channels of C++
    std::thread::id thread_;        // in which they are
    std::vector<int> served_;       // in the last turn; see serves()
    clock::time_point verified_{};  // when close_the_closed() looked at all channels
};

#pragma GCC visibility pop

}  // namespace asyncore::python
