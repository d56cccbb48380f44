// Which member variable of the library a class hides with a member of the same name.  In Python there would
// be one attribute; in C++ the library goes on with its own, and does not see what the class sets.
#pragma once

#include <asyncore/dispatcher.hpp>
#include <asyncore/dispatcher_with_send.hpp>

namespace asyncore {

/// Exists only if `mine` and `its` are one and the same member.
template <auto mine, auto its>
requires(mine == its) inline constexpr bool same_member = true;

// Each of these returns a pointer to the first hidden member, or nullptr.

template <class T>
consteval auto dispatcher::hidden_in_() {
    if constexpr (!requires { same_member<&T::accepting, &dispatcher::accepting>; })
        return &dispatcher::accepting;
    else if constexpr (!requires {
                           same_member<&T::asked_every_turn_, &dispatcher::asked_every_turn_>;
                       })
        return &dispatcher::asked_every_turn_;
    else if constexpr (!requires { same_member<&T::debug, &dispatcher::debug>; })
        return &dispatcher::debug;
    else if constexpr (!requires { same_member<&T::connected, &dispatcher::connected>; })
        return &dispatcher::connected;
    else if constexpr (!requires { same_member<&T::connecting, &dispatcher::connecting>; })
        return &dispatcher::connecting;
    else if constexpr (!requires { same_member<&T::closing, &dispatcher::closing>; })
        return &dispatcher::closing;
    else if constexpr (!requires { same_member<&T::addr, &dispatcher::addr>; })
        return &dispatcher::addr;
    else if constexpr (!requires {
                           same_member<&T::ignore_log_types, &dispatcher::ignore_log_types>;
                       })
        return &dispatcher::ignore_log_types;
    else if constexpr (!requires { same_member<&T::socket, &dispatcher::socket>; })
        return &dispatcher::socket;
    else if constexpr (!requires { same_member<&T::_map, &dispatcher::_map>; })
        return &dispatcher::_map;
    else if constexpr (!requires { same_member<&T::_fileno, &dispatcher::_fileno>; })
        return &dispatcher::_fileno;
    else if constexpr (!requires { same_member<&T::backlog_, &dispatcher::backlog_>; })
        return &dispatcher::backlog_;
    else if constexpr (!requires {
                           same_member<&T::family_and_type, &dispatcher::family_and_type>;
                       })
        return &dispatcher::family_and_type;
    else return nullptr;
}

template <class T>
consteval auto dispatcher_with_send::hidden_in_() {
    if constexpr (!requires { same_member<&T::out_buffer, &dispatcher_with_send::out_buffer>; })
        return &dispatcher_with_send::out_buffer;
    else return dispatcher::hidden_in_<T>();
}

}  // namespace asyncore
