// Private: what an exported class is, and what its objects are.
#pragma once

#include <asyncore/python/exported.hpp>
#include <asyncore/python/mirror.hpp>

#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

namespace asyncore::python {

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

inline wrapper& as_wrapper(PyObject* self) { return *reinterpret_cast<wrapper*>(self); }

/// The exported class from which `type` derives, or null.
class_info* class_of(PyTypeObject* type) noexcept;
/// The exported class for a type of C++, or null.
class_info* class_for(const std::type_info& type) noexcept;
/// The class of Python for `base`, which is a base class of the library's or an exported class.
PyTypeObject* base_type(const std::type_info& base);
/// The class that fits a channel best.
PyTypeObject* type_for(const channel& value);
/// Makes the class of Python.  `base` may be null.
PyTypeObject* make_type(class_info& info, const std::string& module, PyTypeObject* base);
/// What CPython calls for an object of an exported class, beside its methods and attributes.
std::vector<PyType_Slot> wrapper_slots();

template <class Function>
void* as_slot(Function* function) {
    return reinterpret_cast<void*>(function);
}
inline PyCFunction as_function(void* function) { return reinterpret_cast<PyCFunction>(function); }

constexpr int vectorcall = METH_FASTCALL | METH_KEYWORDS;

}  // namespace asyncore::python
