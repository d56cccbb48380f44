#include <asyncore/python/class_values.hpp>

#include <asyncore/python/class_info.hpp>
#include <asyncore/python/errors.hpp>

namespace asyncore::python {

namespace {

using asynchat::async_chat;

/// A value of the class, and the attribute of its objects that has the same name.
struct class_value {
    PyObject_HEAD PyObject* member;  // the attribute
    PyObject* value;
};

class_value& as_class_value(PyObject* self) { return *reinterpret_cast<class_value*>(self); }

/// `of` is null where a class is asked, and not an object.
PyObject* get(PyObject* self, PyObject* of, PyObject* type) {
    const auto& [head, member, value] = as_class_value(self);
    return of ? Py_TYPE(member)->tp_descr_get(member, of, type) : Py_NewRef(value);
}

int set(PyObject* self, PyObject* of, PyObject* value) {
    auto* const member = as_class_value(self).member;
    return Py_TYPE(member)->tp_descr_set(member, of, value);
}

void destroy(PyObject* self) {
    auto* const type = Py_TYPE(self);
    Py_DECREF(as_class_value(self).member);
    Py_DECREF(as_class_value(self).value);
    type->tp_free(self);
    Py_DECREF(type);
}

PyTypeObject* class_value_type() {
    static PyType_Slot slots[] = {{Py_tp_descr_get, as_slot(get)},
                                  {Py_tp_descr_set, as_slot(set)},
                                  {Py_tp_dealloc, as_slot(destroy)},
                                  {0, nullptr}};
    static PyType_Spec spec{"asyncore_cpp.class_value", sizeof(class_value), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    static auto* const type =
        reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)).release());
    return type;
}

/// Puts a value into the class, for the attribute `member` of its objects, and returns it.
PyObject* put(PyTypeObject* into, const char* name, PyObject* member, PyObject* value) {
    auto* const type = class_value_type();
    const auto made = checked(type->tp_alloc(type, 0));
    as_class_value(made.get()).member = Py_NewRef(member);
    as_class_value(made.get()).value = Py_NewRef(value);
    checked(PyObject_SetAttrString(reinterpret_cast<PyObject*>(into), name, made.get()));
    return value;
}

/// What the class itself has under the name, not its bases; null if it has nothing.
PyObject* own(PyObject* type, const char* name) {
    auto* const dict = reinterpret_cast<PyTypeObject*>(type)->tp_dict;
    return dict ? PyDict_GetItemString(dict, name) : nullptr;
}

/// The first of the class and its bases that has the name itself; null if none has.
PyTypeObject* class_with(PyTypeObject* type, const char* name) {
    for (Py_ssize_t i = 0; i < PyTuple_Size(type->tp_mro); ++i) {
        auto* const each = PyTuple_GetItem(type->tp_mro, i);
        if (own(each, name)) return reinterpret_cast<PyTypeObject*>(each);
    }
    return nullptr;
}

/// The attribute of the objects of `type`, which no value of a class hides.  Null if there is none.
PyObject* member_of_objects(PyTypeObject* type, const char* name) {
    for (; type; type = type->tp_base) {
        auto* const found = own(reinterpret_cast<PyObject*>(type), name);
        if (found && Py_TYPE(found) == class_value_type()) return as_class_value(found).member;
    }
    return nullptr;
}

/// The value of the class, as Python reads it; null if the class has no such attribute.  A value that Python gave to
/// the class becomes a class_value, so that the attribute of its objects stays the member of C++.
PyObject* value_of(PyTypeObject* type, const char* name) {
    auto* const member = member_of_objects(type, name);
    if (!member) return nullptr;
    auto* const in = class_with(type, name);
    auto* const found = own(reinterpret_cast<PyObject*>(in), name);
    if (Py_TYPE(found) == class_value_type()) return as_class_value(found).value;
    // A base that is no exported class may be a base of channels of Python too.
    return put(class_of(in) ? in : type, name, member, found);
}

template <class T>
T value_or(PyTypeObject* type, const char* name, T usual) {
    auto* const value = value_of(type, name);
    return value ? from_object<T>(value) : usual;
}

template <class T>
void keep(PyTypeObject* type, const char* name, const T& value) {
    auto* const member = own(reinterpret_cast<PyObject*>(type), name);
    if (member) put(type, name, member, to_object(value).get());
}

}  // namespace

void keep_class_values(PyTypeObject* base) {
    keep(base, "debug", dispatcher::default_debug);
    keep(base, "ac_in_buffer_size", async_chat::default_ac_in_buffer_size);
    keep(base, "ac_out_buffer_size", async_chat::default_ac_out_buffer_size);
}

values_of_class::values_of_class(PyTypeObject* of)
    : debug_(dispatcher::default_debug),
      in_(async_chat::default_ac_in_buffer_size),
      out_(async_chat::default_ac_out_buffer_size) {
    const auto debug = value_or(of, "debug", debug_);
    const auto in = value_or(of, "ac_in_buffer_size", in_);
    const auto out = value_or(of, "ac_out_buffer_size", out_);
    dispatcher::default_debug = debug;
    async_chat::default_ac_in_buffer_size = in;
    async_chat::default_ac_out_buffer_size = out;
}

values_of_class::~values_of_class() {
    dispatcher::default_debug = debug_;
    async_chat::default_ac_in_buffer_size = in_;
    async_chat::default_ac_out_buffer_size = out_;
}

}  // namespace asyncore::python
