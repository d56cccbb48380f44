// One class of calls that the injector replaces.
#pragma once

#include "plan.hpp"

#include <string_view>

#include <dlfcn.h>

namespace faults {

struct slot;

/// Counts the calls of one class and says which of them fail.
class call {
public:
    /// `symbol` is the class's name; the "64" of "open64" is no part of it.
    constexpr explicit call(std::string_view symbol) noexcept
        : name_(symbol.ends_with("64") ? symbol.substr(0, symbol.size() - 2) : symbol) {}

    /// Counts a call.  A fault that meets it is reported with its stack.
    verdict next() noexcept;

    /// The same.  If the call fails, errno is set.
    bool fails() noexcept;

private:
    std::string_view name_;
    slot* slot_ = nullptr;
};

/// libc's own function.  `replacement` has its type.
template <class Function>
Function* real(Function*, const char* symbol) noexcept {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, symbol));
}

}  // namespace faults

/// libc's own function.
#define REAL(symbol)                                                                               \
    ([]() noexcept {                                                                               \
        static auto* const libc_s = faults::real(&::symbol, #symbol);                              \
        return libc_s;                                                                             \
    }())

/// Begins the definition of a function that replaces libc's `symbol`.  The definition has a name of
/// its own: libc's headers may declare `symbol` with attributes that it could not repeat.
#define REPLACE(result, symbol, parameters)                                                        \
    extern "C" result faulty_##symbol parameters asm(#symbol);                                     \
    result faulty_##symbol parameters
