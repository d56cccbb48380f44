// A set of small numbers that names them in order, without sorting.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace asyncore {

/// A bit for each number.  Visiting costs what lies between the lowest and the highest.
class place_set {
public:
    using place = std::uint32_t;

    bool empty() const noexcept { return low_ >= high_; }
    bool contains(place at) const noexcept {
        return at / 64 < words_.size() && (words_[at / 64] >> at % 64 & 1) != 0;
    }
    void add(place at) {
        const std::size_t word = at / 64;
        if (word >= words_.size()) words_.resize(word + 1);
        words_[word] |= std::uint64_t{1} << at % 64;
        low_ = std::min(low_, word);
        high_ = std::max(high_, word + 1);
    }
    void clear() noexcept {
        for (; low_ < high_; ++low_) words_[low_] = 0;
        low_ = SIZE_MAX;
        high_ = 0;
    }
    /// Calls `visit` with each number, the lowest first.  It may see what is added meanwhile.
    template <class Visit>
    void each(Visit visit) const {
        for (auto word = low_; word < high_; ++word)
            for (auto bits = words_[word]; bits != 0; bits &= bits - 1)
                visit(static_cast<place>(word * 64) + static_cast<place>(std::countr_zero(bits)));
    }

private:
    std::vector<std::uint64_t> words_;
    std::size_t low_ = SIZE_MAX, high_ = 0;  // what lies outside is 0
};

}  // namespace asyncore
