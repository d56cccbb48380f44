#include <asyncore/python/python_channel.hpp>

#include <asyncore/python/errors.hpp>
#include <asyncore/python/gil.hpp>
#include <asyncore/python/mirror.hpp>
#include <asyncore/python/names.hpp>

#include <asyncore/platform/descriptor.hpp>

namespace asyncore::python {

using platform::events;

namespace {

/// Null, without an exception, if the class of `value` has no weak references.
PyObject* weak_reference_to(PyObject* value) {
    PyObject* const made = PyWeakref_NewRef(value, nullptr);
    if (!made) PyErr_Clear();
    return made;
}

object referent(PyObject* weak) {
#if PY_VERSION_HEX >= 0x030D0000
    PyObject* value = nullptr;
    checked(PyWeakref_GetRef(weak, &value));
    return object::steal(value);
#else
    return object::borrow(PyWeakref_GetObject(weak));
#endif
}

/// The attribute, or an empty object if there is none.
object attribute(PyObject* of, PyObject* name) {
    auto value = object::steal(PyObject_GetAttr(of, name));
    if (!value) PyErr_Clear();
    return value;
}

bool is_true(PyObject* of, PyObject* name) {
    const auto value = attribute(of, name);
    return value && PyObject_IsTrue(value.get()) == 1;
}

/// Whether the object promises to report its changes, as the stock methods do.
bool makes_promise(PyObject* value, PyObject* key) {
    const auto asked = attribute(value, names::asked_every_turn_);
    if (!asked || PyObject_IsTrue(asked.get()) != 0) return false;
    const auto fileno = attribute(value, names::_fileno);
    return fileno && PyObject_RichCompareBool(fileno.get(), key, Py_EQ) == 1;
}

bool ask(const object& of, PyObject* predicate) {
    const auto answer =
        checked(parked_at_exit([&] { return PyObject_CallMethodNoArgs(of.get(), predicate); }));
    const int truth = PyObject_IsTrue(answer.get());
    checked(truth);
    return truth != 0;
}

}  // namespace

// Not inline: an extension module would have a variable of its own where clang compiled it.
bool python_channel::has_promise = false;

python_channel::python_channel(mirror& map, int fd, PyObject* key, PyObject* value)
    : map_(map),
      fd_(fd),
      key_(object::borrow(key)),
      value_(value),
      weak_(object::steal(weak_reference_to(value))) {
    asked_every_turn_ = !makes_promise(value, key);
    if (!asked_every_turn_) has_promise = true;
}

bool python_channel::stands_for(PyObject* value) const noexcept {
    return value == value_ && weak_ && referent(weak_.get()).get() == value;
}

/// The object under this descriptor, if the dict still has one.
object python_channel::current() const { return map_.get_in_dict(key_.get()); }

bool python_channel::is_closed() const {
    const auto obj = current();
    if (obj.get() != value_) return false;
    const auto socket = attribute(obj.get(), names::socket);
    if (!socket) return false;
    const auto fileno = object::steal(PyObject_CallMethodNoArgs(socket.get(), names::fileno));
    const long number = fileno && PyLong_Check(fileno.get()) ? PyLong_AsLong(fileno.get()) : fd_;
    PyErr_Clear();
    return number == -1;
}

// A turn calls readable(), and then writable().

bool python_channel::readable() {
    const bool is_current = map_.is_current();
    holds_ = is_current && answers_.hold(value_);
    if (holds_) return answers_.readable;
    const auto obj = is_current ? object::borrow(value_) : current();
    answers_.readable = obj.get() == value_ && ask(obj, names::readable);
    return answers_.readable;
}

bool python_channel::writable() {
    if (holds_) return answers_.writable;
    const bool is_readable = answers_.readable;
    const auto obj = map_.is_current() ? object::borrow(value_) : current();
    if (obj.get() != value_) return false;
    const bool is_writable = ask_writable(obj);
    if (map_.is_current()) answers_.remember(value_, is_readable, is_writable);
    return is_writable;
}

/// A listener is never writable.
bool python_channel::ask_writable(const object& obj) const {
    if (!ask(obj, names::writable)) return false;
    const auto flag = checked(PyObject_GetAttr(obj.get(), names::accepting));
    const int is_listener = PyObject_IsTrue(flag.get());
    checked(is_listener);
    return is_listener == 0;
}

/// Calls a function of the module with the object.  When it returns, this channel may be destroyed.
template <class... Arguments>
void python_channel::call(PyObject* name, Arguments... more) {
    const auto obj = current();
    if (!obj) return;
    map_.serves(fd_);
    auto& map = map_;
    const auto function = map.function(name);
    PyObject* const arguments[] = {obj.get(), more...};
    checked(parked_at_exit([&] {
        return PyObject_Vectorcall(function.get(), arguments, 1 + sizeof...(more), nullptr);
    }));
    map.follow_edits();
}

void python_channel::handle_read_event() { call(names::read); }
void python_channel::handle_write_event() { call(names::write); }
void python_channel::handle_expt_event() { call(names::_exception); }

bool python_channel::readwrite_(events flags) {
    const auto number = checked(PyLong_FromLong(static_cast<long>(flags)));
    call(names::readwrite, number.get());
    return true;
}

/// Differs: D33 - a channel that has no peer does not write: it closes, or rests until connect().
void python_channel::handle_hung_up_write_event_() {
    const auto obj = current();
    if (!obj) return;
    const bool has_peer = is_true(obj.get(), names::connected) ||
                          is_true(obj.get(), names::connecting) || !platform::is_unconnected(fd_);
    if (map_.exact || has_peer) return handle_write_event();
    if (attribute(obj.get(), names::family_and_type)) map_.rest(fd_);
    else readwrite_(events::hangup);
}

/// The descriptor turned out to be closed.
void python_channel::handle_close() { readwrite_(events::invalid); }

/// What a function of the module raises leaves the loop: the function has called handle_error() already.
/// What the library throws, because the poller refused the descriptor, goes to handle_error() of the object.
void python_channel::handle_error() {
    try {
        throw;
    } catch (const raised&) {
        throw;
    } catch (...) {
        raise_in_python();
    }
    const auto error = taken_exception();
    call(names::_refused_, error.get());
}

void python_channel::close() {
    const auto obj = current();
    if (obj) checked(PyObject_CallMethodNoArgs(obj.get(), names::close));
}

bool python_channel::reports_changes_to_(const channel_holder&, int) const { return true; }

}  // namespace asyncore::python
