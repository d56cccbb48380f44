#include <asyncore/python/wrapper.hpp>

#include <asyncore/python/class_info.hpp>
#include <asyncore/python/class_values.hpp>
#include <asyncore/python/errors.hpp>
#include <asyncore/python/exported.hpp>
#include <asyncore/python/mirror.hpp>
#include <asyncore/spawned.hpp>

#include <algorithm>
#include <cstddef>
#include <unordered_map>

#include <structmember.h>

namespace asyncore::python {

namespace {

std::unordered_map<const channel*, PyObject*>& wrappers() {
    static auto& all = *new std::unordered_map<const channel*, PyObject*>;
    return all;
}

PyObject* base_method = nullptr;  // see as_the_base_has_it

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
            const values_of_class values(Py_TYPE(self));
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

}  // namespace

std::vector<PyType_Slot> wrapper_slots() {
    return {{Py_tp_new, as_slot(make)},        {Py_tp_init, as_slot(construct)},
            {Py_tp_dealloc, as_slot(destroy)}, {Py_tp_traverse, as_slot(traverse)},
            {Py_tp_clear, as_slot(clear)},     {Py_tp_repr, as_slot(represent)},
            {Py_tp_members, offsets}};
}

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
}  // namespace asyncore::python
