#include <asyncore/python/stock_predicates.hpp>

#include <asyncore/python/dict_version.hpp>
#include <asyncore/python/errors.hpp>
#include <asyncore/python/names.hpp>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace asyncore::python {

namespace {

struct stock_predicate {
    object function;
    object names;  // a tuple
};

std::vector<stock_predicate>& stock_predicates() {
    static auto& all = *new std::vector<stock_predicate>;
    return all;
}

/// What is known of a class, as long as its version is the same.
struct class_facts {
    unsigned version = 0;
    bool is_stock = false;  // both predicates are
    std::vector<PyObject*>
        names;  // of the attributes on which the answers depend; the tuples own them
};

/// The tuple of names for a stock predicate, or null.
PyObject* names_of(PyTypeObject* type, PyObject* predicate) {
    const auto function =
        object::steal(PyObject_GetAttr(reinterpret_cast<PyObject*>(type), predicate));
    PyErr_Clear();
    const auto& all = stock_predicates();
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& each) {
        return each.function.get() == function.get();
    });
    return found == all.end() ? nullptr : found->names.get();
}

/// Whether the class computes the attribute: a property, for one.
bool computes(PyTypeObject* type, PyObject* name) {
    const auto value = object::steal(PyObject_GetAttr(reinterpret_cast<PyObject*>(type), name));
    PyErr_Clear();
    return value && (Py_TYPE(value.get())->tp_descr_set || Py_TYPE(value.get())->tp_descr_get);
}

class_facts look_at(PyTypeObject* type) {
    class_facts facts;
    auto* const of_readable = names_of(type, names::readable);
    auto* const of_writable = names_of(type, names::writable);
    facts.version = type->tp_version_tag;
    if (!of_readable || !of_writable || type->tp_getattro != PyObject_GenericGetAttr) return facts;
    facts.names = {names::accepting};
    for (auto* const tuple : {of_readable, of_writable})
        for (Py_ssize_t i = 0; i < PyTuple_Size(tuple); ++i)
            facts.names.push_back(PyTuple_GetItem(tuple, i));
    facts.is_stock = std::none_of(facts.names.begin(), facts.names.end(),
                                  [&](PyObject* name) { return computes(type, name); });
    return facts;
}

const class_facts& facts_of(PyTypeObject* type) {
    static auto& all = *new std::unordered_map<PyTypeObject*, class_facts>;
    auto& facts = all[type];
    if (facts.version == 0 || facts.version != type->tp_version_tag) facts = look_at(type);
    return facts;
}

bool is_immutable(PyObject* value) {
    return value == Py_None || PyBool_Check(value) || PyLong_CheckExact(value) ||
           PyBytes_CheckExact(value);
}

/// A deque or a list: its length is its truth, and can be read at once.
bool is_queue(PyObject* value) {
    return PyList_CheckExact(value) ||
           std::string_view(Py_TYPE(value)->tp_name) == "collections.deque";
}

#if PY_VERSION_HEX < 0x030D0000
/// The dict of the attributes of an object, or null.  The function of CPython is private: a public one returns a
/// new reference, and is slower.  From 3.13 on the version of such a dict says nothing.
PyObject* dict_of(PyObject* value) noexcept {
    PyObject** const where = _PyObject_GetDictPtr(value);
    return where ? *where : nullptr;
}
#else
PyObject* dict_of(PyObject*) noexcept { return nullptr; }
#endif

}  // namespace

void know_stock_predicate(PyObject* predicate, PyObject* names) {
    stock_predicates().push_back({object::borrow(predicate), object::borrow(names)});
}

bool stock_answers::hold(PyObject* of) const noexcept {
    return dict_ && dict_of(of) == dict_ && version_of(dict_) == version_ &&
           Py_TYPE(of)->tp_version_tag == class_version_ && (!queue_ || Py_SIZE(queue_) == length_);
}

void stock_answers::remember(PyObject* of, bool is_readable, bool is_writable) {
    *this = {};
    const auto& facts = facts_of(Py_TYPE(of));
    auto* const dict = facts.is_stock ? dict_of(of) : nullptr;
    if (!dict || facts.version == 0) return;
    if (PyDict_GetItem(dict, names::readable) || PyDict_GetItem(dict, names::writable)) return;
    PyObject* queue = nullptr;
    for (auto* const name : facts.names) {
        auto* const value = PyDict_GetItem(dict, name);
        if (!value || is_immutable(value)) continue;
        if (!is_queue(value) || queue) return;
        queue = value;
    }
    readable = is_readable;
    writable = is_writable;
    dict_ = dict;
    version_ = version_of(dict);
    class_version_ = facts.version;
    queue_ = queue;
    length_ = queue ? Py_SIZE(queue) : 0;
}

}  // namespace asyncore::python
