// An object of Python, as the loop sees it.
#pragma once

#include <asyncore/channel.hpp>
#include <asyncore/python/object.hpp>
#include <asyncore/python/stock_predicates.hpp>

namespace asyncore::python {

class mirror;

#pragma GCC visibility push(default)

/// Stands in a mirror for an object that the dict has under a descriptor.  It does not own the object.  Before
/// it uses the object it looks whether the dict has it still; if the dict has another object by now, the events
/// are that object's, as in Python.
class python_channel final : public channel {
public:
    python_channel(mirror& map, int fd, PyObject* key, PyObject* value);

    /// Whether any object has promised to report its changes, so that reports are worth their time.
    static bool has_promise;

    /// Whether this channel stands for `value`, and not for a dead object that had the same address.
    bool stands_for(PyObject* value) const noexcept;
    /// The object's own word on whether its socket is closed.
    bool is_closed() const;

    bool readable() override;
    bool writable() override;
    void handle_read_event() override;
    void handle_write_event() override;
    void handle_expt_event() override;
    void handle_hung_up_write_event_() override;
    bool readwrite_(platform::events flags) override;
    void handle_close() override;
    void handle_error() override;
    void close() override;
    bool reports_changes_to_(const channel_holder& map, int fd) const override;

private:
    object current() const;
    bool ask_writable(const object& obj) const;
    template <class... Arguments>
    void call(PyObject* name, Arguments... more);

    mirror& map_;
    const int fd_;
    const object key_;       // fd_, as the dict has it
    PyObject* const value_;  // borrowed; see stands_for()
    const object weak_;      // a weak reference to it, or empty
    stock_answers answers_;
    bool holds_ = false;  // readable() found that answers_ hold, so writable() need not look
};

#pragma GCC visibility pop

}  // namespace asyncore::python
