// The version of a dict: a number that CPython changes with each edit.
#pragma once

#include <asyncore/python/object.hpp>

#include <cstdint>

namespace asyncore::python {

// Deprecated since 3.12.  The watchers that came in its place do not exist in 3.11.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
inline std::uint64_t version_of(PyObject* dict) noexcept {
    return reinterpret_cast<PyDictObject*>(dict)->ma_version_tag;
}
#pragma GCC diagnostic pop

}  // namespace asyncore::python
