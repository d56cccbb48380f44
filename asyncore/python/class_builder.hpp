// Makes the classes of Python that exported.hpp declares.
#pragma once

#include <asyncore/channel.hpp>
#include <asyncore/python/object.hpp>

#include <memory>
#include <span>
#include <typeinfo>
#include <vector>

namespace asyncore::python {

struct argument;

#pragma GCC visibility push(default)

[[noreturn]] void throw_argument_count(std::size_t wanted, Py_ssize_t given);
/// The arguments of a call in their order.  `keywords` is a dict, or null.
std::vector<object> match_arguments(const char* function, const std::vector<argument>& wanted,
                                    PyObject* const* given, Py_ssize_t count, PyObject* keywords);
/// The same for what a vectorcall gets: the names of the keywords, whose values follow the `count` positional values.
std::vector<object> match_vector(const char* function, const std::vector<argument>& wanted,
                                 PyObject* const* given, Py_ssize_t count, PyObject* names);

/// Collects the declaration of a class, and makes the class of Python.
class class_builder {
public:
    using constructor_t = std::shared_ptr<channel> (*)(PyObject* self,
                                                       const std::vector<object>& given,
                                                       bool is_derived);
    using method_t = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);
    using followed_t = std::span<object> (*)(channel&);

    class_builder(const char* name, std::vector<const std::type_info*> types,
                  const std::type_info& base);
    ~class_builder();
    void set_constructor(std::vector<argument> arguments, constructor_t call);
    void add_method(const char* name, method_t call);
    void add_attribute(const char* name, getter get, setter set);
    /// `name` stands for `current`, with a DeprecationWarning.
    void add_deprecated(const char* name, const char* current);
    void add_class_attribute(const char* name, object value);
    /// The value is another class of the module, which was added before.
    void add_class_attribute(const char* name, const class_builder& value);
    void add_followed(followed_t member);
    /// Makes the class, and puts it into the module.
    void finish(PyObject* module);

private:
    struct parts;
    std::unique_ptr<parts> parts_;
};

/// Makes a module, and has `fill` put classes into it.
PyObject* make_module(const char* name, void (*fill)(PyObject* module)) noexcept;

#pragma GCC visibility pop

}  // namespace asyncore::python
