// How a map borrows a channel.  What spawn() adds to a channel is in spawned.cpp.
#include <asyncore/channel.hpp>
#include <asyncore/spawned.hpp>

namespace asyncore {

constinit thread_local alive* alive::innermost_ = nullptr;

channel::~channel() {
    for (auto* each = alive::innermost_; each; each = each->outer_)
        if (each->watched_ == this) each->watched_ = nullptr;
    leave_maps_();
}

void channel::leave_maps_() noexcept {
    while (borrowings_ && !borrowings_->empty()) {
        const auto last = borrowings_->back();
        last.map->lose(last.fd);  // lose() takes this borrowing out of the list
    }
}

/// Makes every map that borrows this channel an owner of it.
void channel::become_owned_() {
    if (!borrowings_) return;
    for (const auto& each : std::vector(*borrowings_)) each.map->set(each.fd, *this);
    borrowings_.reset();
}

bool channel::reports_changes_to_(const channel_holder&, int) const { return false; }

channel_holder::channel_holder() : released_elsewhere_(std::make_shared<released_elsewhere>()) {}

void channel_holder::be_home_of(channel& value) const noexcept {
    if (value.home_ != released_elsewhere_) value.home_ = released_elsewhere_;
}

void channel_holder::borrow(channel& value, int fd) {
    if (!value.borrowings_) value.borrowings_ = std::make_unique<std::vector<channel::borrowing>>();
    value.borrowings_->push_back({this, fd});
}

void channel_holder::end_borrowing(channel& value, int fd) noexcept {
    std::erase_if(*value.borrowings_, [&](const channel::borrowing& each) {
        return each.map == this && each.fd == fd;
    });
}

}  // namespace asyncore
