#include <asyncore/channel.hpp>

#include <asyncore/channel_map.hpp>

namespace asyncore {

namespace {

/// The calls under way in this thread that want to know, innermost first.
constinit thread_local alive* innermost = nullptr;

}  // namespace

channel::~channel() {
    for (auto* each = innermost; each; each = each->outer_)
        if (each->watched_ == this) each->watched_ = nullptr;
    leave_maps_();
}

void channel::leave_maps_() noexcept {
    while (borrowings_ && !borrowings_->empty()) {
        const auto last = borrowings_->back();
        last.map->erase(last.fd);  // which takes it off the list
    }
}

alive::alive(const channel& watched) noexcept : watched_(&watched), outer_(innermost) {
    innermost = this;
}

alive::~alive() { innermost = outer_; }

}  // namespace asyncore
