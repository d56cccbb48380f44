// A set of small numbers that visits them in order, without sorting.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace asyncore {

/// An entry's place in the order of a map: an index.
using place = std::uint32_t;

/// A set of places, with a bit for each place.  A visit looks at the bits between the lowest place and the
/// highest.
class place_set {
public:
    bool empty() const noexcept { return low_ >= high_; }
    bool contains(place at) const noexcept {
        return at / 64 < words_.size() && (words_[at / 64] & bit(at)) != 0;
    }
    /// Has a later add() of `at` ask for no memory.
    void make_room(place at) {
        if (at / 64 >= words_.size()) words_.resize(at / 64 + 1);
    }
    void add(place at) {
        make_room(at);
        const std::size_t word = at / 64;
        words_[word] |= bit(at);
        low_ = std::min(low_, word);
        high_ = std::max(high_, word + 1);
    }
    void clear() noexcept {
        for (; low_ < high_; ++low_) words_[low_] = 0;
        low_ = SIZE_MAX;
        high_ = 0;
    }
    /// Calls `visit` with each place, the lowest first.  Whether it is called with a place that it
    /// adds itself is not defined.
    template <class Visit>
    void each(Visit visit) const {
        for (auto word = low_; word < high_; ++word)
            for (auto bits = words_[word]; bits != 0; bits &= bits - 1)
                visit(static_cast<place>(word * 64) + static_cast<place>(std::countr_zero(bits)));
    }
    /// Takes each place below `end` out, the lowest first, and calls `visit` with it.  A place that a
    /// visit adds is visited too if it is higher than the place of that visit; else it stays in the set.
    template <class Visit>
    void take_each(place end, Visit visit) {
        for (auto at = next(0); at < end; at = next(at + 1)) {
            words_[at / 64] &= ~bit(at);
            visit(at);
        }
        while (low_ < high_ && words_[low_] == 0) ++low_;
        if (empty()) clear();
    }

private:
    /// The lowest place that is not below `from`, or the highest number.
    place next(place from) const noexcept {
        for (auto word = std::max<std::size_t>(low_, from / 64); word < high_; ++word) {
            const auto bits =
                words_[word] & (word == from / 64 ? ~(bit(from) - 1) : ~std::uint64_t{0});
            if (bits != 0)
                return static_cast<place>(word * 64) + static_cast<place>(std::countr_zero(bits));
        }
        return ~place{0};
    }
    static std::uint64_t bit(place at) noexcept { return std::uint64_t{1} << at % 64; }

    std::vector<std::uint64_t> words_;
    std::size_t low_ = SIZE_MAX, high_ = 0;  // all words before low_, and from high_ on, are 0
};

}  // namespace asyncore
