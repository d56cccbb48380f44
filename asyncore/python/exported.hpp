// Classes of C++ as classes of Python: one declaration each.
//
//     ASYNCORE_PYTHON_MODULE(server_cpp, module) {
//         module.add<Handler>("Handler")
//             .constructor<socket_t, channel_map*>("sock", argument("map", nullptr))
//             .attribute<&Handler::lines>("lines")
//             .method<&Handler::shout>("shout");
//     }
//
// In Python that is `from server_cpp import Handler`, a class like another: Handler(sock, map=None), with the
// methods and attributes of asyncore.dispatcher or asynchat.async_chat, whichever it derives from in C++.
//
// Where Python's class has attributes of other types, or calls a method with keywords, T is a class of its own that
// derives from the ported one: tests/python/smtpd/smtpd_cpp.cpp exports a whole server so.
//
// A channel of C++ has one object of Python, its wrapper, which owns it.  A map holds the wrapper, as it holds
// any object.  convert.hpp says which types cross the border.
#pragma once

#include <asynchat/async_chat.hpp>
#include <asyncore/dispatcher.hpp>
#include <asyncore/python/class_builder.hpp>
#include <asyncore/python/convert.hpp>
#include <asyncore/python/wrapper.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace asyncore::python {

/// An argument of a constructor, by name; with a default, or required.
struct argument {
    argument(const char* text) : name(text) {}
    template <class T>
    argument(const char* text, const T& value) : name(text), default_value(to_object(value)) {}
    argument(const char* text, std::nullptr_t)
        : name(text), default_value(object::borrow(Py_None)) {}

    const char* name;
    object default_value;  // empty: required
};

/// The object that a method of T is called for.
template <class T>
T& self_as(PyObject* self) {
    auto* const found = channel_in(self);
    if (!found) throw std::logic_error("the channel is gone");
    return dynamic_cast<T&>(*found);
}

template <class Member>
struct member_of;
template <class T, class Value>
struct member_of<Value T::*> {
    using owner = T;
    using value = Value;
};
template <class T, class R, class... A>
struct member_of<R (T::*)(A...)> {
    using owner = T;
    using result = R;
    using arguments = std::tuple<A...>;
};
template <class T, class R, class... A>
struct member_of<R (T::*)(A...) const> : member_of<R (T::*)(A...)> {};
template <class T, class R, class... A>
struct member_of<R (T::*)(A...) noexcept> : member_of<R (T::*)(A...)> {};
template <class T, class R, class... A>
struct member_of<R (T::*)(A...) const noexcept> : member_of<R (T::*)(A...)> {};

/// What an argument of a method is kept in while the method runs.
template <class T>
using kept_as = std::conditional_t<std::same_as<std::remove_cvref_t<T>, std::string_view>,
                                   std::string, std::remove_cvref_t<T>>;
template <class T>
decltype(auto) pass(kept_as<T>& kept) {
    if constexpr (std::is_lvalue_reference_v<T>) return static_cast<T>(kept);
    else if constexpr (std::same_as<T, std::string_view>) return std::string_view(kept);
    else return std::move(kept);
}

/// The name of a method, and the names of its arguments if they have any.
struct method_names {
    const char* name = "";
    std::vector<argument> arguments{};
};
template <auto member, class Owner>
inline method_names names_of{};

/// A method of C++, as CPython calls it.  The call of a hook goes to the exported class, even if a class of
/// Python overrides the hook.
template <auto member, class Owner, bool is_hook>
PyObject* call_member(PyObject* self, PyObject* const* given, Py_ssize_t count,
                      PyObject* keywords) {
    using of = member_of<decltype(member)>;
    using arguments = typename of::arguments;
    constexpr auto wanted = std::tuple_size_v<arguments>;
    return guarded_from_python(
        [&]() -> PyObject* {
            const auto& [name, named] = names_of<member, Owner>;
            const bool is_complete = static_cast<std::size_t>(count) == wanted && !keywords;
            if (!is_complete && named.empty()) throw_argument_count(wanted, count);
            std::vector<object> matched;
            if (!is_complete) matched = match_vector(name, named, given, count, keywords);
            [[maybe_unused]] const auto value = [&](std::size_t i) {
                return is_complete ? given[i] : matched[i].get();
            };
            [[maybe_unused]] auto& me = self_as<Owner>(self);
            return [&]<std::size_t... i>(std::index_sequence<i...>) {
                std::tuple<kept_as<std::tuple_element_t<i, arguments>>...> kept{
                    from_object<kept_as<std::tuple_element_t<i, arguments>>>(value(i))...};
                std::optional<as_the_base_has_it> scope;
                if constexpr (is_hook) scope.emplace(self);
                if constexpr (std::is_void_v<typename of::result>) {
                    (me.*member)(pass<std::tuple_element_t<i, arguments>>(std::get<i>(kept))...);
                    return object::borrow(Py_None).release();
                } else
                    return to_object((me.*member)(pass<std::tuple_element_t<i, arguments>>(
                                         std::get<i>(kept))...))
                        .release();
            }
            (std::make_index_sequence<wanted>());
        },
        static_cast<PyObject*>(nullptr));
}

template <auto member, class Owner>
PyObject* get_member(PyObject* self, void*) {
    return guarded_from_python([&] { return to_object(self_as<Owner>(self).*member).release(); },
                               static_cast<PyObject*>(nullptr));
}

template <auto member, class Owner>
int set_member(PyObject* self, PyObject* value, void*) {
    return guarded_from_python(
        [&] {
            if (!value) throw std::logic_error("an attribute of C++ cannot be deleted");
            auto& me = self_as<Owner>(self);
            me.*member = from_object<typename member_of<decltype(member)>::value>(value);
            if (auto* const changed = dynamic_cast<dispatcher*>(&me)) changed->interest_changed_();
            return 0;
        },
        -1);
}

template <auto get, class Owner>
PyObject* get_property(PyObject* self, void*) {
    return guarded_from_python([&] { return to_object((self_as<Owner>(self).*get)()).release(); },
                               static_cast<PyObject*>(nullptr));
}

template <auto set, class Owner>
int set_property(PyObject* self, PyObject* value, void*) {
    using given = std::tuple_element_t<0, typename member_of<decltype(set)>::arguments>;
    return guarded_from_python(
        [&] {
            if (!value) throw std::logic_error("an attribute of C++ cannot be deleted");
            auto kept = from_object<kept_as<given>>(value);
            (self_as<Owner>(self).*set)(pass<given>(kept));
            return 0;
        },
        -1);
}

/// T, made for a wrapper.
template <class T>
class exported_object final : private claim, public T {
public:
    template <class... Arguments>
    explicit exported_object(PyObject* wrapper, Arguments&&... arguments)
        : claim(wrapper, static_cast<channel*>(this)), T(std::forward<Arguments>(arguments)...) {}

    std::string repr() const override { return repr_of_wrapper(*this); }
};

// T may have members of any name, so that an argument may hide one.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"

/// T, made for the wrapper of a class that derives from it in Python: calls the hooks that the class overrides.
template <class T>
class overridden_object : private claim, public T {
public:
    template <class... Arguments>
    explicit overridden_object(PyObject* wrapper, Arguments&&... arguments)
        : claim(wrapper, static_cast<channel*>(this)), T(std::forward<Arguments>(arguments)...) {}

    std::string repr() const override { return repr_of_wrapper(*this); }

    bool readable() override {
        return overridden_or("readable", [this] { return T::readable(); });
    }
    bool writable() override {
        return overridden_or("writable", [this] { return T::writable(); });
    }
    void handle_read() override {
        overridden_or("handle_read", [this] { T::handle_read(); });
    }
    void handle_write() override {
        overridden_or("handle_write", [this] { T::handle_write(); });
    }
    void handle_connect() override {
        overridden_or("handle_connect", [this] { T::handle_connect(); });
    }
    void handle_accept() override {
        overridden_or("handle_accept", [this] { T::handle_accept(); });
    }
    void handle_close() override {
        overridden_or("handle_close", [this] { T::handle_close(); });
    }
    void handle_expt() override {
        overridden_or("handle_expt", [this] { T::handle_expt(); });
    }
    void handle_error() override {
        overridden_handle_error(*this, [this] { T::handle_error(); });
    }
    void close() override {
        overridden_or("close", [this] { T::close(); });
    }
    void handle_accepted(socket_t sock, const address& addr) override {
        const auto method = override_of(*this, "handle_accepted");
        if (method) call(method, std::move(sock), addr);
        else T::handle_accepted(std::move(sock), addr);
    }
    void log_info(std::string_view message, std::string_view type) override {
        const auto method = override_of(*this, "log_info");
        if (method) call(method, message, type);
        else T::log_info(message, type);
    }

protected:
    template <class Body>
    auto overridden_or(const char* name, Body body) -> decltype(body()) {
        const auto method = override_of(*this, name);
        if (!method) return body();
        if constexpr (std::is_void_v<decltype(body())>) call(method);
        else return PyObject_IsTrue(call(method).get()) == 1;
    }
};

/// The same for a class that derives from async_chat.
template <class T>
class overridden_chat final : public overridden_object<T> {
public:
    using overridden_object<T>::overridden_object;
    std::string repr() const override { return repr_of_wrapper(*this); }
    void collect_incoming_data(std::string_view data) override {
        const auto method = override_of(*this, "collect_incoming_data");
        if (method) call(method, bytes{std::string(data)});
        else T::collect_incoming_data(data);
    }
    void found_terminator() override {
        this->overridden_or("found_terminator", [this] { T::found_terminator(); });
    }
};

#pragma GCC diagnostic pop

template <class T>
using overridden = std::conditional_t<std::derived_from<T, asynchat::async_chat>,
                                      overridden_chat<T>, overridden_object<T>>;

/// The declaration of one class.  See the top of this file.
template <std::derived_from<dispatcher> T>
class exported_class {
public:
    exported_class(class_builder& builder) : builder_(builder) {}

    /// The types and the names of what the constructor takes.  More than one constructor is not possible.
    template <class... A, class... Names>
    exported_class& constructor(Names... names) {
        static_assert(sizeof...(A) == sizeof...(Names), "a name for each argument");
        builder_.set_constructor(
            {argument(names)...},
            [](PyObject* self, const std::vector<object>& given,
               bool is_derived) -> std::shared_ptr<channel> {
                return [&]<std::size_t... i>(std::index_sequence<i...>)->std::shared_ptr<channel> {
                    if (is_derived)
                        return spawn<overridden<T>>(self, from_object<A>(given[i].get())...);
                    return spawn<exported_object<T>>(self, from_object<A>(given[i].get())...);
                }
                (std::index_sequence_for<A...>());
            });
        return *this;
    }

    /// A method; with names of its arguments, Python may give an argument by name, and leave an
    /// argument out that has a default.
    template <auto member, class... Names>
    exported_class& method(const char* name, Names... arguments) {
        return add_method<member, false>(name, {argument(arguments)...});
    }

    /// A virtual method that a class of Python may override: T's own override asks override_of() first.
    template <auto member, class... Names>
    exported_class& hook(const char* name, Names... arguments) {
        return add_method<member, true>(name, {argument(arguments)...});
    }

    /// A member that Python reads and writes; see follow().
    template <auto member>
    exported_class& attribute(const char* name) {
        builder_.add_attribute(name, get_member<member, T>, set_member<member, T>);
        using value = typename member_of<decltype(member)>::value;
        if constexpr (std::same_as<value, object> || std::same_as<value, std::vector<object>>)
            follow<member>();
        return *this;
    }

    /// Lets Python's garbage collector see the objects of Python that a member holds: an `object`, or a vector
    /// of them.  Without that a cycle through them is never collected.  An attribute of such a type is
    /// followed already.
    template <auto member>
    exported_class& follow() {
        builder_.add_followed(objects_in<member>);
        return *this;
    }

    /// A member that Python only reads.
    template <auto member>
    exported_class& constant(const char* name) {
        builder_.add_attribute(name, get_member<member, T>, nullptr);
        return *this;
    }

    /// An attribute that functions of C++ read and write.  Python: a property.
    template <auto get>
    exported_class& property(const char* name) {
        builder_.add_attribute(name, get_property<get, T>, nullptr);
        return *this;
    }
    template <auto get, auto set>
    exported_class& property(const char* name) {
        builder_.add_attribute(name, get_property<get, T>, set_property<set, T>);
        return *this;
    }

    /// An old name of an attribute or a method.  Python warns the code that uses it.
    exported_class& deprecated(const char* name, const char* current) {
        builder_.add_deprecated(name, current);
        return *this;
    }

    /// A value of the class.  Python: NAME = value, in the body of a class.
    template <class Value>
    exported_class& class_attribute(const char* name, const Value& value) {
        builder_.add_class_attribute(name, to_object(value));
        return *this;
    }
    /// The value is a class that was added before.
    template <class Other>
    exported_class& class_attribute(const char* name, const exported_class<Other>& value) {
        builder_.add_class_attribute(name, value.builder_);
        return *this;
    }

private:
    template <std::derived_from<dispatcher>>
    friend class exported_class;

    template <auto member, bool is_hook>
    exported_class& add_method(const char* name, std::vector<argument> arguments) {
        names_of<member, T> = {name, std::move(arguments)};
        builder_.add_method(name, call_member<member, T, is_hook>);
        return *this;
    }

    template <auto member>
    static std::span<object> objects_in(channel& of) {
        auto& held = dynamic_cast<T&>(of).*member;
        if constexpr (std::same_as<std::remove_reference_t<decltype(held)>, object>)
            return std::span<object>(&held, 1);
        else return std::span<object>(held);
    }

    class_builder& builder_;
};

/// What an extension module has.
class module_builder {
public:
    explicit module_builder(PyObject* module) : module_(module) {}
    ~module_builder() noexcept(false) {
        if (std::uncaught_exceptions() > 0) return;
        for (const auto& each : classes_) each->finish(module_);
    }
    module_builder(const module_builder&) = delete;
    module_builder& operator=(const module_builder&) = delete;

    /// Exports the class T.  `Base` is a class that was added before, or dispatcher, or async_chat.
    template <class T, class Base = std::conditional_t<std::derived_from<T, asynchat::async_chat>,
                                                       asynchat::async_chat, dispatcher>>
    exported_class<T> add(const char* name) {
        const std::vector<const std::type_info*> types{&typeid(T), &typeid(exported_object<T>),
                                                       &typeid(overridden<T>)};
        classes_.push_back(std::make_unique<class_builder>(name, types, typeid(Base)));
        return exported_class<T>(*classes_.back());
    }

    /// Exceptions of the class E, or of one that derives from it, become exceptions of this class of Python.
    template <class E>
    void exception(PyObject* python_class) {
        translate_exception(
            [](const std::exception& error) { return dynamic_cast<const E*>(&error) != nullptr; },
            python_class);
    }

private:
    PyObject* const module_;
    std::vector<std::unique_ptr<class_builder>> classes_;
};

}  // namespace asyncore::python

/// Defines an extension module.  The block that follows declares its classes on `builder`.
#define ASYNCORE_PYTHON_MODULE(name, builder)                                                      \
    static void name##_contents(asyncore::python::module_builder& builder);                        \
    PyMODINIT_FUNC PyInit_##name() {                                                               \
        return asyncore::python::make_module(#name, [](PyObject* made) {                           \
            asyncore::python::module_builder builder(made);                                        \
            name##_contents(builder);                                                              \
        });                                                                                        \
    }                                                                                              \
    static void name##_contents(asyncore::python::module_builder& builder)
