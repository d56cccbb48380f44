// poll(2).  The kernel gets the whole list at each wait; we keep it, so that only changes cost.
//
// Hazards:
// - The list is walked in the kernel from end to end, so a wait costs what is watched, not what is
//   ready.
// - A closed descriptor is not an error of poll(2): it is reported, as POLLNVAL, for ever.
#include <asyncore/platform/error.hpp>
#include <asyncore/platform/pollers.hpp>

namespace asyncore::platform {

namespace {

class poll_poller final : public poller {
public:
    void watch(int fd, events interest) override {
        const auto at = static_cast<std::size_t>(fd);
        if (interest == events::none) return forget(at);
        if (at >= places_.size()) places_.resize(at + 1, nowhere);
        if (places_[at] == nowhere) {
            list_.push_back({fd, 0, 0});
            places_[at] = list_.size() - 1;
        }
        list_[places_[at]].events = static_cast<short>(interest);
    }

    std::string_view name() const noexcept override { return "poll"; }

protected:
    bool wait_once(timeout limit, std::vector<ready>& found) override {
        int count = ::poll(list_.data(), static_cast<nfds_t>(list_.size()), limit.milliseconds());
        if (count < 0 && errno == EINTR) return false;
        if (count < 0) throw_errno("poll");
        for (const auto& entry : list_) {
            if (count == 0) break;
            if (entry.revents == 0) continue;
            found.push_back({entry.fd, static_cast<events>(entry.revents)});
            --count;
        }
        return true;
    }

private:
    static constexpr auto nowhere = static_cast<std::size_t>(-1);

    void forget(std::size_t fd) {
        if (fd >= places_.size() || places_[fd] == nowhere) return;
        list_[places_[fd]] = list_.back();  // the last entry takes its place
        places_[static_cast<std::size_t>(list_.back().fd)] = places_[fd];
        places_[fd] = nowhere;
        list_.pop_back();
    }

    std::vector<pollfd> list_;
    std::vector<std::size_t> places_;  // by descriptor: where it stands in list_
};

}  // namespace

// macOS says POLLHUP when the one side that it was asked about has ended; elsewhere it means that
// both have.  Asked about each side for itself, all systems say the same.
void ask_poll(std::vector<ready>& found, events doubtful) {
    for (auto& each : found) {
        if (!any(each.what & doubtful)) continue;
        const auto reading = each.what & (events::read | events::priority);
        const auto writing = each.what & events::write;
        pollfd sides[] = {{each.fd, static_cast<short>(reading | events::read), 0},
                          {each.fd, POLLOUT, 0}};
        if (::poll(sides, 2, 0) < 0) continue;
        const auto in = static_cast<events>(sides[0].revents);
        const auto out = static_cast<events>(sides[1].revents);
        const bool room = any(out & (events::write | events::hangup));  // a hang-up may hide it
        each.what = (in & reading) | (room ? writing : events::none) | (in & out & events::hangup) |
                    ((in | out) & (events::error | events::invalid));
    }
    std::erase_if(found, [](const ready& each) { return each.what == events::none; });
}

std::unique_ptr<poller> make_poll_poller() { return std::make_unique<poll_poller>(); }

}  // namespace asyncore::platform
