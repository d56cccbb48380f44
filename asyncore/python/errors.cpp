#include <asyncore/python/errors.hpp>

#include <asyncore/python/gil.hpp>

#include <new>
#include <system_error>
#include <utility>
#include <vector>

namespace asyncore::python {

namespace {

std::string text_of(PyObject* any) {
    const auto text = object::steal(PyObject_Str(any));
    const char* const bytes = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
    if (bytes) return bytes;
    PyErr_Clear();
    return "(no text)";
}

template <class Base>
struct raised_as final : Base, raised {
    template <class... Arguments>
    explicit raised_as(object exception, Arguments&&... arguments)
        : Base(std::forward<Arguments>(arguments)...), raised(std::move(exception)) {}
};

PyObject* exit_now = nullptr;  // asyncore.ExitNow

bool is(const object& exception, PyObject* type) {
    return type && PyErr_GivenExceptionMatches(exception.get(), type) != 0;
}

int attribute_as_int(const object& from, const char* name) {
    const auto value = object::steal(PyObject_GetAttrString(from.get(), name));
    const long number = value && PyLong_Check(value.get()) ? PyLong_AsLong(value.get()) : 0;
    PyErr_Clear();
    return static_cast<int>(number);
}

using translation = std::pair<bool (*)(const std::exception&), object>;
std::vector<translation>& translations() {
    static auto& all = *new std::vector<translation>;
    return all;
}

/// Inside a catch block: raises what an extension module has asked for, or returns false.
bool raise_translated() {
    try {
        throw;
    } catch (const raised&) {
        return false;
    } catch (const std::exception& error) {
        for (const auto& [is_of_class, python_class] : translations()) {
            if (!is_of_class(error)) continue;
            PyErr_SetString(python_class.get(), error.what());
            return true;
        }
    } catch (...) {
        return false;
    }
    return false;
}

void set_os_error(const std::system_error& error) {
    const auto arguments = object::steal(Py_BuildValue("(is)", error.code().value(), error.what()));
    if (arguments) PyErr_SetObject(PyExc_OSError, arguments.get());
}

}  // namespace

raised::raised(object exception)
    : exception_(new object(std::move(exception)), [](object* last) {
          if (!Py_IsInitialized()) return;  // Python has ended, and the exception with it
          const with_gil scope;
          delete last;
      }) {}

raised::~raised() = default;

void raised::restore() const noexcept {
    const auto again = *exception_;
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(object(again).release());
#else
    PyErr_Restore(object::borrow(reinterpret_cast<PyObject*>(Py_TYPE(again.get()))).release(),
                  object(again).release(), PyException_GetTraceback(again.get()));
#endif
}

/// Python: asyncore.compact_traceback().
traceback raised::compact_traceback() const {
    const with_gil scope;
    traceback made;
    auto& [place, type, value, info] = made;
    type = text_of(reinterpret_cast<PyObject*>(Py_TYPE(exception())));
    value = text_of(exception());
    for (auto each = object::steal(PyException_GetTraceback(exception()));
         each && each.get() != Py_None;
         each = object::steal(PyObject_GetAttrString(each.get(), "tb_next"))) {
        const auto frame = object::steal(PyObject_GetAttrString(each.get(), "tb_frame"));
        const auto code = object::steal(reinterpret_cast<PyObject*>(
            PyFrame_GetCode(reinterpret_cast<PyFrameObject*>(frame.get()))));
        const auto file = object::steal(PyObject_GetAttrString(code.get(), "co_filename"));
        const auto function = object::steal(PyObject_GetAttrString(code.get(), "co_name"));
        const auto line = std::to_string(attribute_as_int(each, "tb_lineno"));
        place = {text_of(file.get()), text_of(function.get()), line};
        info += (info.empty() ? "[" : " [") + text_of(file.get()) + "|" + text_of(function.get()) +
                "|" + line + "]";
    }
    PyErr_Clear();
    return made;
}

object taken_exception() {
#if PY_VERSION_HEX >= 0x030C0000
    return object::steal(PyErr_GetRaisedException());
#else
    PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback) PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return object::steal(value);
#endif
}

void throw_raised() {
    auto exception = taken_exception();
    if (!exception) throw std::logic_error("a function of Python failed without an exception");
    if (is(exception, PyExc_OSError)) {
        const std::error_code code(attribute_as_int(exception, "errno"), std::generic_category());
        throw raised_as<std::system_error>(std::move(exception), code);
    }
    const auto text = text_of(exception.get());
    if (is(exception, exit_now)) throw raised_as<ExitNow>(std::move(exception), text);
    if (is(exception, PyExc_KeyboardInterrupt))
        throw raised_as<KeyboardInterrupt>(std::move(exception));
    if (is(exception, PyExc_SystemExit)) throw raised_as<SystemExit>(std::move(exception));
    throw raised_as<std::runtime_error>(std::move(exception), text);
}

void translate_exception(bool (*is_of_class)(const std::exception&), PyObject* python_class) {
    translations().emplace_back(is_of_class, object::borrow(python_class));
}

void raise_in_python() noexcept {
    try {
        if (raise_translated()) return;
        throw;
    } catch (const raised& exception) {
        exception.restore();
    } catch (const std::system_error& error) {
        set_os_error(error);
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const NotImplementedError& error) {
        PyErr_SetString(PyExc_NotImplementedError, error.what());
    } catch (const std::invalid_argument& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const ExitNow& error) {
        PyErr_SetString(exit_now ? exit_now : PyExc_SystemExit, error.what());
    } catch (const KeyboardInterrupt&) {
        PyErr_SetNone(PyExc_KeyboardInterrupt);
    } catch (const SystemExit& exit) {
        const auto code = object::steal(PyLong_FromLong(exit.code));
        if (code) PyErr_SetObject(PyExc_SystemExit, code.get());
    } catch (const std::exception& error) {
        PyErr_Format(PyExc_RuntimeError, "%s: %s", type_name(typeid(error)).c_str(), error.what());
    } catch (...) {
        PyErr_SetString(PyExc_RuntimeError, "an object that is no std::exception was thrown");
    }
}

void set_exit_now(PyObject* type) noexcept {
    Py_XINCREF(type);
    Py_XSETREF(exit_now, type);
}

}  // namespace asyncore::python
