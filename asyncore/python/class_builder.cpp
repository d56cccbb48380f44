#include <asyncore/python/class_builder.hpp>

#include <asyncore/python/class_info.hpp>
#include <asyncore/python/class_values.hpp>
#include <asyncore/python/errors.hpp>
#include <asyncore/python/exported.hpp>

#include <typeindex>
#include <unordered_map>

namespace asyncore::python {

namespace {

std::unordered_map<std::type_index, class_info*>& classes_by_type() {
    static auto& all = *new std::unordered_map<std::type_index, class_info*>;
    return all;
}
std::unordered_map<PyTypeObject*, class_info*>& classes() {
    static auto& all = *new std::unordered_map<PyTypeObject*, class_info*>;
    return all;
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

}  // namespace

class_info* class_of(PyTypeObject* type) noexcept {
    for (; type; type = type->tp_base) {
        const auto found = classes().find(type);
        if (found != classes().end()) return found->second;
    }
    return nullptr;
}

class_info* class_for(const std::type_info& type) noexcept {
    const auto found = classes_by_type().find(type);
    return found == classes_by_type().end() ? nullptr : found->second;
}

PyTypeObject* make_type(class_info& info, const std::string& module, PyTypeObject* base) {
    info.methods.push_back({nullptr, nullptr, 0, nullptr});
    info.attributes.push_back({nullptr, nullptr, nullptr, nullptr, nullptr});
    auto slots = wrapper_slots();
    slots.push_back({Py_tp_methods, info.methods.data()});
    slots.push_back({Py_tp_getset, info.attributes.data()});
    slots.push_back({0, nullptr});
    static std::vector<std::unique_ptr<std::string>>
        full_names;  // CPython keeps a pointer to the name
    full_names.push_back(std::make_unique<std::string>(module + "." + info.name));
    PyType_Spec spec{full_names.back()->c_str(), sizeof(wrapper), 0,
                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots.data()};
    const auto bases = base ? checked(PyTuple_Pack(1, base)) : object();
    info.type = reinterpret_cast<PyTypeObject*>(
        checked(PyType_FromSpecWithBases(&spec, bases.get())).release());
    classes()[info.type] = &info;
    for (const auto* const type : info.types) classes_by_type()[*type] = &info;
    auto* const made = reinterpret_cast<PyObject*>(info.type);
    keep_class_values(info.type);
    for (const auto& [name, value] : info.class_attributes)
        checked(PyObject_SetAttrString(made, name, value.get()));
    for (const auto& [name, of] : info.class_attributes_of_classes)
        checked(PyObject_SetAttrString(made, name, reinterpret_cast<PyObject*>(of->type)));
    return info.type;
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
