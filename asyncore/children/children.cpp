#include <asyncore/children/children.hpp>

#include <asyncore/errors.hpp>

namespace asyncore {

void child_link::touch_() {
    if (!parent_) return;
    touched_ = parent_->now();
    parent_->by_touch_.splice(parent_->by_touch_.end(), parent_->by_touch_, at_);
}

void child_link::leave_parent_() noexcept {
    if (!parent_) return;
    parent_->by_touch_.erase(at_);
    --host_->second;
    if (host_->second == 0) parent_->hosts_.erase(host_);
    parent_ = nullptr;
}

namespace {

/// Calls handle_timeout_() as the loop calls a hook: handle_error() gets what it throws.
void call_timeout(child_link& child, channel& obj) {
    const alive still_here(obj);
    try {
        child.handle_timeout_();
    } catch (...) {
        if (!still_here || _reraised_exception()) throw;
        obj.handle_error();
    }
}

}  // namespace

children::~children() {
    for (auto* each : by_touch_) each->parent_ = nullptr;
}

std::size_t children::size_of(const std::string& host) const {
    const auto found = hosts_.find(host);
    return found == hosts_.end() ? 0 : found->second;
}

void children::enter(child_link& made, std::string host) {
    made.leave_parent_();
    const auto counted = hosts_.try_emplace(std::move(host), 0).first;
    made.at_ = by_touch_.insert(by_touch_.end(), &made);
    made.host_ = counted;
    ++counted->second;
    made.parent_ = this;
    made.touched_ = now();
}

children::clock::time_point children::close_silent() {
    if (timeout <= clock::duration::zero()) return channel_map::never;
    const std::weak_ptr<int> still_here = life_;  // a hook may destroy the listener
    const auto time = now();
    while (!still_here.expired() && !by_touch_.empty()) {
        auto& first = *by_touch_.front();
        if (time - first.touched_ < timeout) return first.touched_ + timeout;
        first.touch_();
        call_timeout(first, first.as_channel_());
    }
    return channel_map::never;
}

}  // namespace asyncore
