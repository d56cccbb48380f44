// Answers of readable() and writable() that need not be asked for again.
//
// A turn in Python asks each channel, and with 9,000 channels that is nearly all its work.  But the answer of a
// stock predicate depends on a few attributes of the object alone, and CPython up to 3.12 gives each dict a
// version number, which changes with each edit: also the dict of an object.  So the answer is the same as long
// as the version of the object's dict, the version of its class, and the length of its queue are the same.
#pragma once

#include <asyncore/python/object.hpp>

#include <cstdint>

namespace asyncore::python {

#pragma GCC visibility push(default)

/// Tells that the answer of `predicate`, a function, depends on nothing but the attributes that `names` has, a
/// tuple of strings.
void know_stock_predicate(PyObject* predicate, PyObject* names);

/// The answers of one object.
class stock_answers {
public:
    /// Whether the answers would be the same if the object was asked now.  `of` is the object that was given to
    /// remember().
    bool hold(PyObject* of) const noexcept;
    /// Remembers what `of` answers now, if its class has the stock predicates.
    void remember(PyObject* of, bool is_readable, bool is_writable);

    bool readable = false, writable = false;

private:
    PyObject* dict_ = nullptr;   // of the object; borrowed; null: there are no answers
    std::uint64_t version_ = 0;  // of dict_
    unsigned class_version_ = 0;
    PyObject* queue_ = nullptr;  // an attribute of the object; borrowed, like what follows
    Py_ssize_t length_ = 0;      // of the queue
};

#pragma GCC visibility pop

}  // namespace asyncore::python
