// Private: class attributes of Python for members of C++.
//
// `ac_in_buffer_size` is a member of each object of C++.  In Python a class may give it a value too
// (`class Handler(...): ac_in_buffer_size = 1024`), with which the objects of the class start.
#pragma once

#include <asyncore/python/object.hpp>

#include <cstdint>

namespace asyncore::python {

/// Gives a base class, whose members Python sees already, the values of the library for its members.
void keep_class_values(PyTypeObject* base);

/// While it exists, the members of a new channel start with the values of the class.
/// Throws: if a value is not a number that the member can hold.
class values_of_class {
public:
    explicit values_of_class(PyTypeObject* of);
    ~values_of_class();
    values_of_class(const values_of_class&) = delete;
    values_of_class& operator=(const values_of_class&) = delete;

private:
    const bool debug_;
    const std::uint32_t in_, out_;
};

}  // namespace asyncore::python
