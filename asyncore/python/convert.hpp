// Values that cross the border between Python and C++.
//
//     Python                         C++
//     bool, int, float               bool, an integer type, double
//     str (or bytes)                 std::string
//     bytes (or bytearray)           bytes
//     None, or a value               std::optional
//     a list                         std::vector, a copy
//     a dict whose keys are str      std::map, a copy
//     a tuple of two                 std::pair, to Python only
//     ('127.0.0.1', 80), a path      address
//     a socket, whatever its class   socket_t; the object of Python stays its owner
//     a map: a dict, None            channel_map*
//     a channel of C++               std::shared_ptr<T>, or T* for the time of the call
//     a function                     std::function
//     anything                       object
#pragma once

#include <asynchat/terminator.hpp>
#include <asyncore/dispatcher.hpp>
#include <asyncore/python/errors.hpp>
#include <asyncore/python/gil.hpp>
#include <asyncore/python/object.hpp>

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncore::python {

#pragma GCC visibility push(default)

/// Bytes, where std::string is text.
struct bytes {
    std::string value;
};

/// Throws a TypeError: "WHAT expected, not CLASS".
[[noreturn]] void throw_type_error(const char* what, PyObject* given);
/// Throws an OverflowError: the C++ type has no such number.
[[noreturn]] void throw_overflow(long long number);

// Each function throws what Python raised, a TypeError for a value of another class.
long long integer_from(PyObject* value);
double float_from(PyObject* value);
bool bool_from(PyObject* value);
std::string text_from(PyObject* value);
std::string bytes_from(PyObject* value);
address address_from(PyObject* value);
object to_python(const address& value);
/// The object of Python stays the owner of the descriptor: to close one closes the other.
socket_t socket_from(PyObject* value);
/// A new socket.socket, which takes the descriptor over; or the object that socket_from() got.
object to_python(socket_t value);
/// The object of Python for a socket that stays where it is.  A socket of C++ becomes one of Python, which owns
/// the descriptor from now on.
object python_socket_of(socket_t& value);
channel_map* map_from(PyObject* value);
object to_python(channel_map* value);
asynchat::terminator_t terminator_from(PyObject* value);
object to_python(const asynchat::terminator_t& value);
/// Null for None.
std::shared_ptr<channel> channel_from(PyObject* value);
object to_python(channel* value);

#pragma GCC visibility pop

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_map : std::false_type {};
template <class T, class Less>
struct is_map<std::map<std::string, T, Less>> : std::true_type {};
template <class T>
struct is_shared : std::false_type {};
template <class T>
struct is_shared<std::shared_ptr<T>> : std::true_type {};
template <class T>
struct is_pair : std::false_type {};
template <class A, class B>
struct is_pair<std::pair<A, B>> : std::true_type {};
template <class T>
struct is_function : std::false_type {};
template <class R, class... A>
struct is_function<std::function<R(A...)>> : std::true_type {};

template <class T>
object to_object(T&& value);
template <class T>
T from_object(PyObject* value);

/// Calls a function of Python with keywords, a dict or null.  Throws what it raises.
template <class Result = object, class... Arguments>
Result call_with(PyObject* keywords, PyObject* function, Arguments&&... arguments) {
    const object all[] = {to_object(std::forward<Arguments>(arguments))..., object()};
    PyObject* borrowed[sizeof...(Arguments) + 1];
    for (std::size_t i = 0; i <= sizeof...(Arguments); ++i) borrowed[i] = all[i].get();
    const auto result = checked(parked_at_exit([&] {
        return PyObject_VectorcallDict(function, borrowed, sizeof...(Arguments), keywords);
    }));
    return from_object<Result>(result.get());
}
/// Calls a function of Python.  Throws what it raises.
template <class Result = object, class... Arguments>
Result call(PyObject* function, Arguments&&... arguments) {
    return call_with<Result>(nullptr, function, std::forward<Arguments>(arguments)...);
}
template <class Result = object, class... Arguments>
Result call(const object& function, Arguments&&... arguments) {
    return call<Result>(function.get(), std::forward<Arguments>(arguments)...);
}
/// Calls a method of an object of Python.
template <class Result = object, class... Arguments>
Result call_method(const object& of, const char* name, Arguments&&... arguments) {
    const auto method = checked(PyObject_GetAttrString(of.get(), name));
    return call<Result>(method, std::forward<Arguments>(arguments)...);
}

/// An attribute of an object of Python.
template <class Result = object>
Result get(const object& of, const char* name) {
    return from_object<Result>(checked(PyObject_GetAttrString(of.get(), name)).get());
}

template <class R, class... A>
std::function<R(A...)> function_from(PyObject* value, std::function<R(A...)>*) {
    if (value == Py_None) return nullptr;
    if (!PyCallable_Check(value)) throw_type_error("a function", value);
    return [kept = object::borrow(value)](A... arguments) -> R {
        if constexpr (std::is_void_v<R>) call(kept, std::forward<A>(arguments)...);
        else return call<R>(kept, std::forward<A>(arguments)...);
    };
}

template <class T>
T from_object(PyObject* value) {
    if constexpr (std::same_as<T, object>) return object::borrow(value);
    else if constexpr (std::same_as<T, bool>) return bool_from(value);
    else if constexpr (std::integral<T>) {
        const auto number = integer_from(value);
        if (!std::in_range<T>(number)) throw_overflow(number);
        return static_cast<T>(number);
    } else if constexpr (std::floating_point<T>) return static_cast<T>(float_from(value));
    else if constexpr (std::same_as<T, std::string>) return text_from(value);
    else if constexpr (std::same_as<T, bytes>) return {bytes_from(value)};
    else if constexpr (std::same_as<T, address>) return address_from(value);
    else if constexpr (std::same_as<T, socket_t>) return socket_from(value);
    else if constexpr (std::same_as<T, channel_map*>) return map_from(value);
    else if constexpr (std::same_as<T, asynchat::terminator_t>) return terminator_from(value);
    else if constexpr (is_function<T>::value) return function_from(value, static_cast<T*>(nullptr));
    else if constexpr (is_optional<T>::value) {
        if (value == Py_None) return std::nullopt;
        return from_object<typename T::value_type>(value);
    } else if constexpr (is_vector<T>::value) {
        const auto items = checked(PySequence_Fast(value, "a list expected"));
        T all;
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i)
            all.push_back(
                from_object<typename T::value_type>(PySequence_Fast_GET_ITEM(items.get(), i)));
        return all;
    } else if constexpr (is_map<T>::value) {
        if (!PyDict_Check(value)) throw_type_error("a dict", value);
        T all;
        PyObject *key = nullptr, *each = nullptr;
        for (Py_ssize_t at = 0; PyDict_Next(value, &at, &key, &each);)
            all[text_from(key)] = from_object<typename T::mapped_type>(each);
        return all;
    } else if constexpr (is_shared<T>::value) {
        const auto found = channel_from(value);
        auto typed = std::dynamic_pointer_cast<typename T::element_type>(found);
        if (found && !typed)
            throw_type_error(type_name(typeid(typename T::element_type)).c_str(), value);
        return typed;
    } else {
        static_assert(std::is_pointer_v<T>, "this type cannot cross the border; see convert.hpp");
        return from_object<std::shared_ptr<std::remove_pointer_t<T>>>(value).get();
    }
}

template <class T>
object to_object(T&& value) {
    using plain = std::remove_cvref_t<T>;
    if constexpr (std::same_as<plain, object>)
        return value ? object(value) : object::borrow(Py_None);
    else if constexpr (std::same_as<plain, bool>) return object::borrow(value ? Py_True : Py_False);
    else if constexpr (std::unsigned_integral<plain>)
        return checked(PyLong_FromUnsignedLongLong(value));
    else if constexpr (std::integral<plain>) return checked(PyLong_FromLongLong(value));
    else if constexpr (std::floating_point<plain>) return checked(PyFloat_FromDouble(value));
    else if constexpr (std::same_as<plain, bytes>)
        return checked(PyBytes_FromStringAndSize(value.value.data(), std::ssize(value.value)));
    else if constexpr (std::same_as<plain, std::nullopt_t> || std::same_as<plain, std::nullptr_t>)
        return object::borrow(Py_None);
    else if constexpr (is_optional<plain>::value)
        return value ? to_object(*std::forward<T>(value)) : object::borrow(Py_None);
    else if constexpr (is_pair<plain>::value) {
        const auto first = to_object(std::forward<T>(value).first);
        const auto second = to_object(std::forward<T>(value).second);
        return checked(PyTuple_Pack(2, first.get(), second.get()));
    } else if constexpr (is_vector<plain>::value) {
        auto list = checked(PyList_New(0));
        for (const auto& each : value) checked(PyList_Append(list.get(), to_object(each).get()));
        return list;
    } else if constexpr (is_map<plain>::value) {
        auto dict = checked(PyDict_New());
        for (const auto& [key, each] : value)
            checked(PyDict_SetItem(dict.get(), to_object(key).get(), to_object(each).get()));
        return dict;
    } else if constexpr (is_shared<plain>::value)
        return to_python(static_cast<channel*>(value.get()));
    else if constexpr (std::derived_from<std::remove_pointer_t<plain>, channel_map>)
        return to_python(static_cast<channel_map*>(value));
    else if constexpr (std::is_pointer_v<plain> &&
                       std::derived_from<std::remove_pointer_t<plain>, channel>)
        return to_python(static_cast<channel*>(value));
    else if constexpr (std::convertible_to<T, std::string_view>) {
        const std::string_view text = value;
        return checked(PyUnicode_DecodeUTF8(text.data(), std::ssize(text), "surrogateescape"));
    } else return to_python(std::forward<T>(value));
}

}  // namespace asyncore::python
