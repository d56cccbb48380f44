#include <asyncore/python/mirror.hpp>

#include <asyncore/python/errors.hpp>
#include <asyncore/python/names.hpp>
#include <asyncore/python/waiting.hpp>
#include <asyncore/python/wrapper.hpp>

#include <asyncore/dispatcher.hpp>
#include <asyncore/platform/descriptor.hpp>

#include <algorithm>
#include <list>

namespace asyncore::python {

// --- All mirrors.

namespace {

/// The mirrors, the one that was used last first.  CPython does not tell when a dict is freed.  So a mirror may
/// outlive its dict, and then get another dict that has the same address: the version of that dict is another
/// one, too, and sync() makes the mirror equal to it.
std::list<std::unique_ptr<mirror>>& mirrors() {
    static auto& all = *new std::list<std::unique_ptr<mirror>>;
    return all;
}
constexpr std::size_t most_mirrors = 16;

/// A descriptor, or -1 for another key.
int descriptor_of(PyObject* key) {
    constexpr long most = 1 << 24;
    if (!PyLong_CheckExact(key)) return -1;
    int overflow = 0;
    const long number = PyLong_AsLongAndOverflow(key, &overflow);
    return overflow == 0 && 0 <= number && number <= most ? static_cast<int>(number) : -1;
}

}  // namespace

mirror* mirror::find(PyObject* dict) noexcept {
    for (const auto& each : mirrors())
        if (each->dict_ == dict) return each.get();
    return nullptr;
}

mirror& mirror::of(PyObject* dict) {
    auto& all = mirrors();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& each) { return each->dict_ == dict; });
    if (found != all.end()) {
        all.splice(all.begin(), all, found);
        return *all.front();
    }
    all.emplace_front(new mirror(dict));
    // What was used long ago goes, unless a turn is under way in it or a wrapper needs it.
    for (auto each = std::prev(all.end()); each != all.begin() && all.size() > most_mirrors;) {
        const auto tried = each--;
        if ((*tried)->depth_ == 0 && (*tried)->bound_ == 0) all.erase(tried);
    }
    return *all.front();
}

mirror::~mirror() {
    for (std::size_t fd = 0; fd < channels_.size(); ++fd)
        if (channels_[fd]) drop(static_cast<int>(fd));
}

// --- The dict.

object mirror::get_in_dict(PyObject* key) const {
    auto* const value = PyDict_GetItemWithError(dict_, key);
    if (!value && PyErr_Occurred()) throw_raised();
    return object::borrow(value);
}

object mirror::function(PyObject* name) const {
    auto* const value = PyDict_GetItemWithError(globals_, name);
    if (value) return object::borrow(value);
    if (!PyErr_Occurred()) PyErr_SetObject(PyExc_NameError, name);
    throw_raised();
}

bool mirror::sync() {
    const auto version = version_of(dict_);
    if (version != version_) {
        version_ = 0;
        const bool has_descriptors = walk();
        if (!has_descriptors) return false;
        version_ = version;
    }
    watch_anew();
    return true;
}

/// A dict keeps the order of what it has, and adds at the end, as the map does.  So where the two differ, the
/// map has something that the dict has no more, or has anew at its end.
bool mirror::walk() {
    struct added_entry {
        int fd;
        object key, value;
    };
    std::vector<added_entry> added;  // put in at last, since that may run code of Python
    auto here = begin();
    PyObject *key = nullptr, *value = nullptr;
    for (Py_ssize_t at = 0; PyDict_Next(dict_, &at, &key, &value);) {
        const int fd = descriptor_of(key);
        if (fd < 0) return false;
        while (here != end() && !((*here).first == fd && holds(fd, value))) {
            drop((*here).first);
            ++here;
        }
        if (here != end()) ++here;
        else added.push_back({fd, object::borrow(key), object::borrow(value)});
    }
    for (; here != end(); ++here) drop((*here).first);
    for (const auto& each : added) put(each.fd, each.key.get(), each.value.get());
    return true;
}

/// Whether the entry `fd` stands for `value`.
bool mirror::holds(int fd, PyObject* value) const {
    const auto& stand_in = channels_[static_cast<std::size_t>(fd)];
    return stand_in ? stand_in->stands_for(value) : channel_in(value) == get(fd);
}

void mirror::drop(int fd) {
    channel_map::erase(fd);
    channels_[static_cast<std::size_t>(fd)].reset();
}

void mirror::put(int fd, PyObject* key, PyObject* value) {
    auto& stand_in = place_for(fd);
    if (auto* const of_cpp = channel_in(value)) {
        channel_map::set(fd, *of_cpp);
        stand_in.reset();
        bind_to_map(value, *this, dict_);
        has_channels_ = true;
        return;
    }
    auto made = std::make_unique<python_channel>(*this, fd, key, value);
    channel_map::set(fd, *made);
    stand_in = std::move(made);
}

std::unique_ptr<python_channel>& mirror::place_for(int fd) {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= channels_.size()) channels_.resize(index + 1);
    return channels_[index];
}

// --- Channels of C++.

bool mirror::holds_channel(const channel* value) const noexcept {
    const auto* const found = dynamic_cast<const dispatcher*>(value);
    return found && get(found->_fileno) == value;
}

void mirror::forget_channel(const channel& value) {
    std::vector<int> fds;
    for (const auto& [fd, each] : *this)
        if (&each == &value) fds.push_back(fd);
    for (const int fd : fds) drop(fd);
}

/// While spawn() makes a channel, its class is not known yet: spawn() enters it again when it is made.
void mirror::set(int fd, channel& value) {
    const bool was_current = is_current();
    const bool is_made = !is_being_made(value);
    const auto wrapper = is_made ? wrapper_of(value) : object();
    place_for(fd).reset();
    channel_map::set(fd, value);
    if (!is_made) return;
    has_channels_ = true;
    bind_to_map(wrapper.get(), *this, dict_);
    const auto key = checked(PyLong_FromLong(fd));
    checked(PyDict_SetItem(dict_, key.get(), wrapper.get()));
    if (was_current) version_ = version_of(dict_);
}

bool mirror::erase(int fd) {
    const bool was_current = is_current();
    auto* const value = get(fd);
    auto* const wrapper = value ? existing_wrapper_of(*value) : nullptr;
    const auto kept = object::borrow(wrapper);
    const bool was_there = channel_map::erase(fd);
    const auto key = checked(PyLong_FromLong(fd));
    if (wrapper && get_in_dict(key.get()).get() == wrapper)
        checked(PyDict_DelItem(dict_, key.get()));
    if (was_current) version_ = version_of(dict_);
    return was_there;
}

/// The stock add_channel() entered these descriptors since the last turn.
void mirror::watch_anew() {
    for (const int fd : entered_)
        if (auto* const value = get(fd)) channel_map::set(fd, *value);
    entered_.clear();
}

// --- A turn.

std::unique_ptr<platform::poller> mirror::new_poller_(std::string_view mechanism) {
    return make_releasing_poller(mechanism);
}

mirror::turn_scope::turn_scope(mirror& map, PyObject* globals)
    : map_(map),
      dict_(object::borrow(map.dict_)),
      globals_(object::borrow(globals)),
      outer_globals_(std::exchange(map.globals_, globals)) {
    ++map.depth_;
    map.thread_ = std::this_thread::get_id();
}

mirror::turn_scope::~turn_scope() {
    --map_.depth_;
    map_.globals_ = outer_globals_;
}

bool mirror::take_turn(platform::timeout limit, delivery how, PyObject* globals) {
    const turn_scope scope(*this, globals);
    const bool is_equal = sync();
    if (!is_equal) return false;
    set_exit_now(function(names::ExitNow).get());
    sweep();
    close_the_closed();
    asyncore::take_turn(limit, *this, how);
    return true;
}

/// epoll forgets a closed descriptor in silence.  So each turn looks at the channels that were served in the
/// last turn, and every ten seconds at all channels; in an exact map, each turn looks at all.
void mirror::close_the_closed() {
    auto suspects = std::exchange(served_, {});
    const auto now = clock::now();
    if (exact || now - verified_ > std::chrono::seconds(10)) {
        suspects = keys();
        verified_ = now;
    }
    for (const int fd : suspects) {
        const auto index = static_cast<std::size_t>(fd);
        if (index >= channels_.size() || !channels_[index]) continue;
        auto& each = *channels_[index];
        if (each.is_closed() || !platform::is_open(fd)) each.handle_close();
    }
}

}  // namespace asyncore::python
