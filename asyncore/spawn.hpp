// Channels that the map owns.
#pragma once

#include <asyncore/spawned.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
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

/// Whether a class has only channel's shared_from_this(), by which a map finds the owner.
template <class T>
concept shared_from_channel = requires(T& made) {
    made.weak_from_this();
};

/// Whether a class does not derive from channel as a virtual base.
template <class T>
concept holds_channel_in_place = requires(channel* base) {
    static_cast<T*>(base);
};

/// The memory of a T that spawn() makes.  `delete` frees it, as the memory of any T.
template <class T>
struct spawn_memory {
    static constexpr bool is_aligned_more = alignof(T) > __STDCPP_DEFAULT_NEW_ALIGNMENT__;
    static void* allocate() {
        if constexpr (is_aligned_more)
            return ::operator new(sizeof(T), std::align_val_t(alignof(T)));
        else return ::operator new(sizeof(T));
    }
    static void free(void* memory) noexcept {
        if constexpr (is_aligned_more) ::operator delete(memory, std::align_val_t(alignof(T)));
        else ::operator delete(memory);
    }
    /// The address of the class channel inside a T that is made in `memory`.
    static channel* channel_in(void* memory) noexcept { return static_cast<T*>(memory); }
};

/// A failed_channel in the memory of a T.  It lies where the class channel of the T lay, and its
/// operator delete computes from that where the memory begins.
template <class T>
class failed final : public failed_channel {
public:
    using failed_channel::failed_channel;
    static void operator delete(failed* last, std::destroying_delete_t) noexcept {
        alignas(T) static std::byte other[sizeof(T)];
        const auto offset =
            reinterpret_cast<std::byte*>(spawn_memory<T>::channel_in(other)) - other;
        last->~failed();
        spawn_memory<T>::free(reinterpret_cast<std::byte*>(last) - offset);
    }
};

template <class T>
consteval auto hidden_member() {
    if constexpr (requires { T::template hidden_in_<T>(); }) return T::template hidden_in_<T>();
    else return nullptr;
}

template <class T>
concept no_channel = !std::derived_from<T, channel>;
template <class T>
concept abstract_channel = std::derived_from<T, channel> && std::is_abstract_v<T>;
template <class T>
concept hiding_channel =
    std::derived_from<T, channel> && !std::is_null_pointer_v<decltype(hidden_member<T>())>;
template <class T>
concept plain_channel = !no_channel<T> && !abstract_channel<T> && !hiding_channel<T>;
template <class T, class... Arguments>
concept not_made_from = plain_channel<T> && !std::is_constructible_v<T, Arguments...>;

// What spawn() refuses.  A compiler names the line of the call, and shows one of the deleted lines.
template <no_channel T, class... Arguments>
void spawn(Arguments&&...) = delete;  // T is no channel, or derives from it without `public`
template <abstract_channel T, class... Arguments>
void spawn(Arguments&&...) = delete;  // T lacks a method: channel.hpp has `= 0` at each of eight
template <hiding_channel T, auto hidden = hidden_member<T>(), class... Arguments>
void spawn(Arguments&&...) = delete;  // T has a member of the same name as `hidden`: rename it
template <class T, class... Arguments>
requires not_made_from<T, Arguments...>
void spawn(Arguments&&...) = delete;  // std::move(sock)?  using dispatcher::dispatcher?  public?
template <class T>
requires std::derived_from<std::remove_cvref_t<T>, channel>
void spawn(T&&) = delete;  // spawn<T>(what the constructor takes)

/// Makes a channel that is owned by the maps that hold it.  Python: Handler(sock), the result
/// dropped.  The channel's shared_ptr exists while the constructor runs: see self().
///
/// A class that overrides neither predicate keeps the promise of asked_every_turn_, so its channels
/// need not be asked on every turn.
///
/// Throws: what the constructor throws.  If the constructor gave a shared_ptr to its object away
///         before it threw, a std::logic_error that says so, with the exception nested.
template <plain_channel T, class... Arguments>
requires std::is_constructible_v<T, Arguments...> std::shared_ptr<T>
spawn(Arguments&&... arguments) {
    static_assert(shared_from_channel<T>, "T has a second enable_shared_from_this: drop it");
    static_assert(holds_channel_in_place<T>, "T derives from channel as a virtual base");
    using memory = spawn_memory<T>;
    void* const where = memory::allocate();
    spawning scope(memory::channel_in(where));
    T* made = nullptr;
    try {
        made = ::new (where) T(std::forward<Arguments>(arguments)...);
    } catch (...) {
        if (scope.self()) ::new (static_cast<void*>(scope.self().get())) failed<T>(scope.self());
        else memory::free(where);
        scope.fail(typeid(T));
    }
    if constexpr (keeps_predicates<T>) made->asked_every_turn_ = false;
    scope.succeed();
    return {scope.self(), made};
}

/// The shared_ptr to a channel that spawn() made, in the channel's own type.  The constructor of the
/// channel may call it, too.  Python: self, where it is given away.
///
/// Throws: std::logic_error if spawn() did not make the channel.
template <std::derived_from<channel> T>
std::shared_ptr<T> self(T& me) {
    return {me.shared_from_this(), &me};
}

}  // namespace asyncore
