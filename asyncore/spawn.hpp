// Channels that the map owns.
#pragma once

#include <asyncore/channel.hpp>

#include <concepts>
#include <memory>
#include <utility>

namespace asyncore {

/// Whether `Library` is a class of this library whose readable() and writable() follow its state.
template <class Library>
inline constexpr bool predicates_follow_state = false;

/// Whether two predicates, of the classes R and W, are the library's.
template <class R, class W>
constexpr bool follow_state(bool (R::*)(), bool (W::*)()) {
    return predicates_follow_state<R> && predicates_follow_state<W>;
}

/// Whether a class overrides neither predicate of the library's class that it derives from.
template <class T>
concept keeps_predicates = requires {
    requires follow_state(&T::readable, &T::writable);
};

/// Whether a class has only channel's enable_shared_from_this, by which a map finds the owner.
template <class T>
concept shared_from_channel = requires(T& made) {
    made.weak_from_this();
};

/// Makes a channel that is owned by the maps that hold it.  Python: Handler(sock), the result
/// dropped.
///
/// A class that overrides neither predicate keeps the promise of asked_every_turn_, so its channels
/// need not be asked on every turn.
template <std::derived_from<channel> T, class... Arguments>
std::shared_ptr<T> spawn(Arguments&&... arguments) {
    static_assert(shared_from_channel<T>, "T has a second enable_shared_from_this: drop it");
    auto made = std::make_shared<T>(std::forward<Arguments>(arguments)...);
    if constexpr (keeps_predicates<T>) made->asked_every_turn_ = false;
    made->become_owned_();
    return made;
}

}  // namespace asyncore
