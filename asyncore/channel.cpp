#include <asyncore/channel.hpp>

#include <asyncore/channel_map.hpp>

namespace asyncore {

channel::~channel() {
    for (auto* each = alive::innermost_; each; each = each->outer_)
        if (each->watched_ == this) each->watched_ = nullptr;
    leave_maps_();
}

void channel::leave_maps_() noexcept {
    while (borrowings_ && !borrowings_->empty()) {
        const auto last = borrowings_->back();
        last.map->erase(last.fd);  // which takes it off the list
    }
}

}  // namespace asyncore
