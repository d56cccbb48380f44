#include <asyncore/python/wrapper.hpp>

#include <asyncore/python/errors.hpp>
#include <asyncore/python/exported.hpp>
#include <asyncore/python/mirror.hpp>
#include <asyncore/spawned.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <typeindex>
#include <unordered_map>

#include <structmember.h>

namespace asyncore::python {

namespace {

/// What is known of an exported class.  It lives as long as the process, as the class does.
struct class_info {
    std::string name;
    const std::type_info* base = nullptr;
    std::vector<const std::type_info*> types;
    std::vector<argument> arguments{};
    class_builder::constructor_t construct = nullptr;
    std::vector<PyMethodDef> methods;
    std::vector<PyGetSetDef> attributes;
    std::vector<std::pair<const char*, object>> class_attributes{};
    std::vector<std::pair<const char*, const class_info*>> class_attributes_of_classes{};
    std::vector<class_builder::followed_t> followed{};
    PyTypeObject* type = nullptr;
};

/// The part of a wrapper that is C++.
struct wrapper_state {
    std::shared_ptr<channel> owned;
    channel* value = nullptr;  // null: not made yet, or gone
    mirror* map = nullptr;     // which this wrapper keeps alive; null: none
    object dict;               // of that map
};

struct wrapper {
    PyObject_HEAD PyObject* attributes;  // __dict__
    PyObject* weak_references;
    wrapper_state* state;
};

std::unordered_map<std::type_index, class_info*>& classes_by_type() {
    static auto& all = *new std::unordered_map<std::type_index, class_info*>;
    return all;
}
std::unordered_map<PyTypeObject*, class_info*>& classes() {
    static auto& all = *new std::unordered_map<PyTypeObject*, class_info*>;
    return all;
}
std::unordered_map<const channel*, PyObject*>& wrappers() {
    static auto& all = *new std::unordered_map<const channel*, PyObject*>;
    return all;
}

PyObject* base_method = nullptr;  // see as_the_base_has_it

wrapper& as_wrapper(PyObject* self) { return *reinterpret_cast<wrapper*>(self); }

/// The exported class from which `type` derives, or null.
class_info* class_of(PyTypeObject* type) noexcept {
    for (; type; type = type->tp_base) {
        const auto found = classes().find(type);
        if (found != classes().end()) return found->second;
    }
    return nullptr;
}

void let_go_of_map(wrapper_state& state) {
    if (state.map) state.map->unbind();
    state.map = nullptr;
    state.dict = {};
}

/// Whether the wrapper, and the map in which the channel is, are the only owners of the channel.
bool is_sole_owner(const wrapper_state& state) {
    const bool in_map = state.map && state.map->holds_channel(state.value);
    return state.owned && state.owned.use_count() <= (in_map ? 2 : 1);
}

// --- What CPython calls.

PyObject* make(PyTypeObject* type, PyObject*, PyObject*) {
    PyObject* const self = type->tp_alloc(type, 0);
    if (self) as_wrapper(self).state = new (std::nothrow) wrapper_state;
    if (!self || as_wrapper(self).state) return self;
    Py_DECREF(self);
    return PyErr_NoMemory();
}

/// Puts a channel that is made into its wrapper.
void adopt(PyObject* self, std::shared_ptr<channel> made) {
    auto& state = *as_wrapper(self).state;
    state.value = made.get();
    state.owned = std::move(made);
    wrappers()[state.value] = self;
}

int construct(PyObject* self, PyObject* positional, PyObject* keywords) {
    return guarded_from_python(
        [&] {
            const auto* const info = class_of(Py_TYPE(self));
            if (!info || !info->construct)
                throw std::logic_error("only C++ makes objects of this class");
            if (channel_in(self)) throw std::logic_error("the channel is made already");
            const bool is_derived = info->type != Py_TYPE(self);
            auto arguments = match_arguments(info->name.c_str(), info->arguments,
                                             PySequence_Fast_ITEMS(positional),
                                             PyTuple_Size(positional), keywords);
            adopt(self, info->construct(self, arguments, is_derived));
            return 0;
        },
        -1);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    auto& [head, attributes, weak, state] = as_wrapper(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(attributes);
    if (!state) return 0;
    Py_VISIT(state->dict.get());
    const auto* const info = class_of(Py_TYPE(self));
    if (!info || !is_sole_owner(*state)) return 0;
    for (const auto member : info->followed)
        for (const auto& each : member(*state->value)) Py_VISIT(each.get());
    return 0;
}

int clear(PyObject* self) {
    auto& [head, attributes, weak, state] = as_wrapper(self);
    Py_CLEAR(attributes);
    if (!state) return 0;
    const auto* const info = class_of(Py_TYPE(self));
    if (info && is_sole_owner(*state))
        for (const auto member : info->followed)
            for (auto& each : member(*state->value)) each = {};
    return 0;
}

void destroy(PyObject* self) {
    PyObject_GC_UnTrack(self);
    auto& each = as_wrapper(self);
    if (each.weak_references) PyObject_ClearWeakRefs(self);
    Py_CLEAR(each.attributes);
    if (auto* const state = std::exchange(each.state, nullptr)) {
        wrappers().erase(state->value);
        if (state->map && state->value) state->map->forget_channel(*state->value);
        // C++ may use the map after this wrapper has gone: then the map stays for ever.
        const bool stays = state->owned.use_count() > 1;
        if (stays && state->map) state->dict.release();
        else let_go_of_map(*state);
        delete state;
        released::
            destroy();  // outside of a turn the channel goes at once, as an object of Python does
    }
    auto* const type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject* represent(PyObject* self) {
    return guarded_from_python(
        [&]() -> PyObject* {
            const auto* const value = dynamic_cast<const dispatcher*>(channel_in(self));
            const auto text =
                value ? value->repr() : "<" + std::string(Py_TYPE(self)->tp_name) + ">";
            return to_object(text).release();
        },
        static_cast<PyObject*>(nullptr));
}

PyMemberDef offsets[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(wrapper, attributes), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(wrapper, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

template <class Function>
void* as_slot(Function* function) {
    return reinterpret_cast<void*>(function);
}

PyTypeObject* make_type(class_info& info, const std::string& module, PyTypeObject* base) {
    info.methods.push_back({nullptr, nullptr, 0, nullptr});
    info.attributes.push_back({nullptr, nullptr, nullptr, nullptr, nullptr});
    PyType_Slot slots[] = {
        {Py_tp_new, as_slot(make)},
        {Py_tp_init, as_slot(construct)},
        {Py_tp_dealloc, as_slot(destroy)},
        {Py_tp_traverse, as_slot(traverse)},
        {Py_tp_clear, as_slot(clear)},
        {Py_tp_repr, as_slot(represent)},
        {Py_tp_methods, info.methods.data()},
        {Py_tp_getset, info.attributes.data()},
        {Py_tp_members, offsets},
        {0, nullptr},
    };
    static std::vector<std::unique_ptr<std::string>>
        full_names;  // CPython keeps a pointer to the name
    full_names.push_back(std::make_unique<std::string>(module + "." + info.name));
    PyType_Spec spec{full_names.back()->c_str(), sizeof(wrapper), 0,
                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
    const auto bases = base ? checked(PyTuple_Pack(1, base)) : object();
    info.type = reinterpret_cast<PyTypeObject*>(
        checked(PyType_FromSpecWithBases(&spec, bases.get())).release());
    classes()[info.type] = &info;
    for (const auto* const type : info.types) classes_by_type()[*type] = &info;
    auto* const made = reinterpret_cast<PyObject*>(info.type);
    for (const auto& [name, value] : info.class_attributes)
        checked(PyObject_SetAttrString(made, name, value.get()));
    for (const auto& [name, of] : info.class_attributes_of_classes)
        checked(PyObject_SetAttrString(made, name, reinterpret_cast<PyObject*>(of->type)));
    return info.type;
}

// --- The base classes: channel, dispatcher, async_chat.

PyObject* recv(PyObject* self, PyObject* size) {
    return guarded_from_python(
        [&] {
            auto& me = self_as<dispatcher>(self);
            return to_object(bytes{me.recv(from_object<std::size_t>(size))}).release();
        },
        static_cast<PyObject*>(nullptr));
}

PyObject* send(PyObject* self, PyObject* data) {
    return guarded_from_python(
        [&] { return to_object(self_as<dispatcher>(self).send(bytes_from(data))).release(); },
        static_cast<PyObject*>(nullptr));
}

PyObject* push(PyObject* self, PyObject* data) {
    return guarded_from_python(
        [&] {
            self_as<asynchat::async_chat>(self).push(std::string_view(bytes_from(data)));
            return object::borrow(Py_None).release();
        },
        static_cast<PyObject*>(nullptr));
}

/// A producer of Python.
class python_producer final : public asynchat::producer {
public:
    explicit python_producer(PyObject* value) : value_(object::borrow(value)) {}
    std::string more() override { return bytes_from(call_method(value_, "more").get()); }

private:
    const object value_;
};

PyObject* push_with_producer(PyObject* self, PyObject* producer) {
    return guarded_from_python(
        [&] {
            auto& me = self_as<asynchat::async_chat>(self);
            if (producer == Py_None) me.push_with_producer(std::shared_ptr<asynchat::producer>());
            else if (PyBytes_Check(producer))
                me.push_with_producer(std::string_view(bytes_from(producer)));
            else me.push_with_producer(std::make_shared<python_producer>(producer));
            return object::borrow(Py_None).release();
        },
        static_cast<PyObject*>(nullptr));
}

PyObject* get_terminator(PyObject* self, PyObject*) {
    return guarded_from_python(
        [&] { return to_object(self_as<asynchat::async_chat>(self).get_terminator()).release(); },
        static_cast<PyObject*>(nullptr));
}

PyObject* collect_incoming_data(PyObject* self, PyObject* data) {
    return guarded_from_python(
        [&] {
            const as_the_base_has_it scope(self);
            self_as<asynchat::async_chat>(self).collect_incoming_data(bytes_from(data));
            return object::borrow(Py_None).release();
        },
        static_cast<PyObject*>(nullptr));
}

PyObject* log_info(PyObject* self, PyObject* arguments, PyObject* keywords) {
    const char *message = nullptr, *type = "info";
    const char* const names[] = {"message", "type", nullptr};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "s|s", const_cast<char**>(names),
                                     &message, &type))
        return nullptr;
    return guarded_from_python(
        [&] {
            const as_the_base_has_it scope(self);
            self_as<dispatcher>(self).log_info(message, type);
            return object::borrow(Py_None).release();
        },
        static_cast<PyObject*>(nullptr));
}

PyObject* get_fileno(PyObject* self, void*) {
    return guarded_from_python(
        [&]() -> PyObject* {
            const int fd = self_as<dispatcher>(self)._fileno;
            return fd < 0 ? object::borrow(Py_None).release() : to_object(fd).release();
        },
        static_cast<PyObject*>(nullptr));
}

PyObject* get_socket(PyObject* self, void*) {
    return guarded_from_python(
        [&]() -> PyObject* { return python_socket_of(self_as<dispatcher>(self).socket).release(); },
        static_cast<PyObject*>(nullptr));
}

PyObject* get_map(PyObject* self, void*) {
    return guarded_from_python([&] { return to_python(self_as<dispatcher>(self)._map).release(); },
                               static_cast<PyObject*>(nullptr));
}

/// A name that stands for another.
struct renamed {
    const char *deprecated, *current;
};

bool warn_of(const renamed& name) {
    return PyErr_WarnFormat(PyExc_DeprecationWarning, 1, "%s is deprecated, use %s",
                            name.deprecated, name.current) == 0;
}

PyObject* get_deprecated(PyObject* self, void* closure) {
    const auto& name = *static_cast<const renamed*>(closure);
    return warn_of(name) ? PyObject_GetAttrString(self, name.current) : nullptr;
}

int set_deprecated(PyObject* self, PyObject* value, void* closure) {
    const auto& name = *static_cast<const renamed*>(closure);
    return warn_of(name) ? PyObject_SetAttrString(self, name.current, value) : -1;
}

PyCFunction as_function(void* function) { return reinterpret_cast<PyCFunction>(function); }

constexpr int vectorcall = METH_FASTCALL | METH_KEYWORDS;
template <auto member, class T>
PyMethodDef method(const char* name) {
    return {name, as_function(as_slot(call_member<member, T, false>)), vectorcall, nullptr};
}
template <auto member, class T>
PyMethodDef hook(const char* name) {
    return {name, as_function(as_slot(call_member<member, T, true>)), vectorcall, nullptr};
}
template <auto member, class T>
PyGetSetDef attribute(const char* name) {
    return {name, get_member<member, T>, set_member<member, T>, nullptr, nullptr};
}

class_info& channel_info() {
    static auto& info = *new class_info{
        .name = "channel",
        .types = {},
        .methods = {hook<&channel::readable, channel>("readable"),
                    hook<&channel::writable, channel>("writable"),
                    method<&channel::handle_read_event, channel>("handle_read_event"),
                    method<&channel::handle_write_event, channel>("handle_write_event"),
                    method<&channel::handle_expt_event, channel>("handle_expt_event"),
                    hook<&channel::handle_close, channel>("handle_close"),
                    hook<&channel::handle_error, channel>("handle_error"),
                    hook<&channel::close, channel>("close")},
        .attributes = {attribute<&channel::accepting, channel>("accepting")},
    };
    return info;
}

class_info& dispatcher_info() {
    using T = dispatcher;
    static auto& info = *new class_info{
        .name = "dispatcher",
        .types = {&typeid(T)},
        .methods = {hook<&T::handle_read, T>("handle_read"),
                    hook<&T::handle_write, T>("handle_write"),
                    hook<&T::handle_connect, T>("handle_connect"),
                    hook<&T::handle_accept, T>("handle_accept"),
                    hook<&T::handle_expt, T>("handle_expt"),
                    hook<&T::handle_accepted, T>("handle_accepted"),
                    method<&T::handle_connect_event, T>("handle_connect_event"),
                    method<&T::create_socket, T>("create_socket"),
                    method<&T::set_reuse_addr, T>("set_reuse_addr"),
                    method<&T::listen, T>("listen"),
                    method<static_cast<void (T::*)(const address&)>(&T::bind), T>("bind"),
                    method<static_cast<void (T::*)(const address&)>(&T::connect), T>("connect"),
                    method<&T::accept, T>("accept"),
                    method<&T::add_channel, T>("add_channel"),
                    method<&T::del_channel, T>("del_channel"),
                    method<&T::set_socket, T>("set_socket"),
                    method<&T::log, T>("log"),
                    {"log_info", as_function(as_slot(log_info)), METH_VARARGS | METH_KEYWORDS,
                     nullptr},
                    {"recv", recv, METH_O, nullptr},
                    {"send", send, METH_O, nullptr}},
        .attributes = {attribute<&T::debug, T>("debug"),
                       attribute<&T::connected, T>("connected"),
                       attribute<&T::connecting, T>("connecting"),
                       attribute<&T::closing, T>("closing"),
                       attribute<&T::addr, T>("addr"),
                       {"_fileno", get_fileno, nullptr, nullptr, nullptr},
                       {"_map", get_map, nullptr, nullptr, nullptr},
                       {"socket", get_socket, nullptr, nullptr, nullptr}},
    };
    return info;
}

class_info& chat_info() {
    using T = asynchat::async_chat;
    static auto& info = *new class_info{
        .name = "async_chat",
        .types = {&typeid(T)},
        .methods = {hook<&T::found_terminator, T>("found_terminator"),
                    method<&T::set_terminator, T>("set_terminator"),
                    method<&T::close_when_done, T>("close_when_done"),
                    method<&T::initiate_send, T>("initiate_send"),
                    method<&T::discard_buffers, T>("discard_buffers"),
                    {"collect_incoming_data", collect_incoming_data, METH_O, nullptr},
                    {"push", push, METH_O, nullptr},
                    {"push_with_producer", push_with_producer, METH_O, nullptr},
                    {"get_terminator", get_terminator, METH_NOARGS, nullptr}},
        .attributes = {attribute<&T::ac_in_buffer_size, T>("ac_in_buffer_size"),
                       attribute<&T::ac_out_buffer_size, T>("ac_out_buffer_size"),
                       attribute<&T::terminator, T>("terminator")},
    };
    return info;
}

PyTypeObject* base_type(const std::type_info& base) {
    static PyTypeObject* const of_channel = make_type(channel_info(), "asyncore_cpp", nullptr);
    static PyTypeObject* const of_dispatcher =
        make_type(dispatcher_info(), "asyncore_cpp", of_channel);
    static PyTypeObject* const of_chat = make_type(chat_info(), "asyncore_cpp", of_dispatcher);
    static_cast<void>(of_chat);
    const auto found = classes_by_type().find(base);
    return found == classes_by_type().end() ? of_channel : found->second->type;
}

/// The class that fits a channel best.
PyTypeObject* type_for(const channel& value) {
    base_type(typeid(channel));
    const auto found = classes_by_type().find(typeid(value));
    if (found != classes_by_type().end()) return found->second->type;
    if (dynamic_cast<const asynchat::async_chat*>(&value))
        return base_type(typeid(asynchat::async_chat));
    if (dynamic_cast<const dispatcher*>(&value)) return base_type(typeid(dispatcher));
    return base_type(typeid(channel));
}

}  // namespace

// --- Wrappers.

channel* channel_in(PyObject* value) noexcept {
    if (!class_of(Py_TYPE(value)) || !as_wrapper(value).state) return nullptr;
    return as_wrapper(value).state->value;
}

PyObject* existing_wrapper_of(const channel& value) noexcept {
    const auto found = wrappers().find(&value);
    return found == wrappers().end() ? nullptr : found->second;
}

object wrapper_of(channel& value) {
    if (auto* const known = existing_wrapper_of(value)) return object::borrow(known);
    auto owner = value.weak_from_this().lock();
    auto self = checked(make(type_for(value), nullptr, nullptr));
    if (owner) adopt(self.get(), std::move(owner));
    else {
        as_wrapper(self.get()).state->value = &value;
        wrappers()[&value] = self.get();
    }
    return self;
}

std::string repr_of_wrapper(const channel& value) {
    auto* const self = existing_wrapper_of(value);
    const std::string name = self ? Py_TYPE(self)->tp_name : type_name(typeid(value));
    const auto& me = dynamic_cast<const dispatcher&>(value);
    const auto text = me.dispatcher::repr();
    const auto end_of_name = text.find_first_of(" >", 1 + type_name(typeid(value)).size());
    return "<" + name + text.substr(std::min(end_of_name, text.size()));
}

void bind_to_map(PyObject* self, mirror& map, PyObject* dict) {
    auto& state = *as_wrapper(self).state;
    if (state.map == &map) return;
    let_go_of_map(state);
    state.map = &map;
    state.dict = object::borrow(dict);
    map.bind();
}

claim::claim(PyObject* self, const channel* where) : where_(where) {
    wrappers()[where] = self;
    as_wrapper(self).state->value = const_cast<channel*>(where);
}

claim::~claim() {
    auto* const self = existing_wrapper_of(*where_);
    if (!self) return;
    wrappers().erase(where_);
    as_wrapper(self).state->value = nullptr;
}

// --- Overrides.

as_the_base_has_it::as_the_base_has_it(PyObject* self) noexcept
    : outer_(std::exchange(base_method, self)) {}
as_the_base_has_it::~as_the_base_has_it() { base_method = outer_; }

object override_of(const channel& value, const char* name) {
    auto* const self = existing_wrapper_of(value);
    if (!self) return {};
    if (std::exchange(base_method, nullptr) == self) return {};
    const auto* const info = class_of(Py_TYPE(self));
    const auto its =
        object::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(self)), name));
    const auto exported =
        object::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(info->type), name));
    PyErr_Clear();
    if (!its || its.get() == exported.get()) return {};
    return checked(PyObject_GetAttrString(self, name));
}

void call_handle_error(const channel&, const object& method) {
    raise_in_python();
    const auto error = taken_exception();
    const auto outer = object::steal(PyErr_GetHandledException());
    PyErr_SetHandledException(error.get());
    const auto result = object::steal(PyObject_CallNoArgs(method.get()));
    const auto raised_now = result ? object() : taken_exception();
    PyErr_SetHandledException(outer.get());
    if (result) return;
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(object(raised_now).release());
#else
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(raised_now.get())), raised_now.get());
#endif
    throw_raised();
}

void throw_argument_count(std::size_t wanted, Py_ssize_t given) {
    PyErr_Format(PyExc_TypeError, "%zu arguments expected, not %zd", wanted, given);
    throw_raised();
}

std::vector<object> match_arguments(const char* function, const std::vector<argument>& wanted,
                                    PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    if (count > std::ssize(wanted)) throw_argument_count(wanted.size(), count);
    Py_ssize_t used = 0;
    std::vector<object> all;
    for (const auto& each : wanted) {
        const bool is_positional = std::ssize(all) < count;
        auto* const named = keywords ? PyDict_GetItemString(keywords, each.name) : nullptr;
        if (named) ++used;
        auto value = object::borrow(is_positional ? given[all.size()] : named);
        if (!value) value = each.default_value;
        if (!value || (named && is_positional)) {
            PyErr_Format(PyExc_TypeError, "%s(): the argument %s is %s", function, each.name,
                         value ? "given twice" : "missing");
            throw_raised();
        }
        all.push_back(std::move(value));
    }
    if (!keywords || used == PyDict_Size(keywords)) return all;
    PyErr_Format(PyExc_TypeError, "%s(): a keyword is unknown in %R", function, keywords);
    throw_raised();
}

std::vector<object> match_vector(const char* function, const std::vector<argument>& wanted,
                                 PyObject* const* given, Py_ssize_t count, PyObject* names) {
    if (!names) return match_arguments(function, wanted, given, count, nullptr);
    const auto keywords = checked(PyDict_New());
    for (Py_ssize_t i = 0; i < PyTuple_Size(names); ++i)
        checked(PyDict_SetItem(keywords.get(), PyTuple_GetItem(names, i), given[count + i]));
    return match_arguments(function, wanted, given, count, keywords.get());
}

// --- Declarations.

struct class_builder::parts {
    class_info* info = new class_info;  // lives as long as the process
};

class_builder::class_builder(const char* name, std::vector<const std::type_info*> types,
                             const std::type_info& base)
    : parts_(std::make_unique<parts>()) {
    parts_->info->name = name;
    parts_->info->types = std::move(types);
    parts_->info->base = &base;
}
class_builder::~class_builder() = default;

void class_builder::set_constructor(std::vector<argument> arguments, constructor_t call) {
    parts_->info->arguments = std::move(arguments);
    parts_->info->construct = call;
}
void class_builder::add_method(const char* name, method_t call) {
    parts_->info->methods.push_back({name, as_function(as_slot(call)), vectorcall, nullptr});
}
void class_builder::add_attribute(const char* name, getter get, setter set) {
    parts_->info->attributes.push_back({name, get, set, nullptr, nullptr});
}
void class_builder::add_deprecated(const char* name, const char* current) {
    auto* const names = new renamed{name, current};  // lives as long as the process
    parts_->info->attributes.push_back({name, get_deprecated, set_deprecated, nullptr, names});
}
void class_builder::add_class_attribute(const char* name, const class_builder& value) {
    parts_->info->class_attributes_of_classes.emplace_back(name, value.parts_->info);
}
void class_builder::add_class_attribute(const char* name, object value) {
    parts_->info->class_attributes.emplace_back(name, std::move(value));
}
void class_builder::add_followed(followed_t member) { parts_->info->followed.push_back(member); }

void class_builder::finish(PyObject* module) {
    auto& info = *parts_->info;
    auto* const base = base_type(*info.base);
    const auto* const base_info = class_of(base);
    info.followed.insert(info.followed.end(), base_info->followed.begin(),
                         base_info->followed.end());
    make_type(info, PyModule_GetName(module), base);
    checked(
        PyModule_AddObjectRef(module, info.name.c_str(), reinterpret_cast<PyObject*>(info.type)));
}

PyObject* make_module(const char* name, void (*fill)(PyObject* module)) noexcept {
    return guarded_from_python(
        [&] {
            checked(PyImport_ImportModule("asyncore"));
            auto* const definition = new PyModuleDef{PyModuleDef_HEAD_INIT,
                                                     name,
                                                     nullptr,
                                                     -1,
                                                     nullptr,
                                                     nullptr,
                                                     nullptr,
                                                     nullptr,
                                                     nullptr};
            auto module = checked(PyModule_Create(definition));
            fill(module.get());
            return module.release();
        },
        static_cast<PyObject*>(nullptr));
}

}  // namespace asyncore::python
