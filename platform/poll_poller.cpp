// poll(2).  The kernel gets the whole list at each wait.  The poller keeps the list between waits, and
// edits it only where an interest changes.
//
// Hazards:
// - The kernel walks the list from end to end, so the cost of a wait grows with the number of
//   descriptors that are watched, not with the number that are ready.
// - A closed descriptor is no error of poll(2): it is reported as POLLNVAL, on every wait.
#include <asyncore/platform/error.hpp>
#include <asyncore/platform/pollers.hpp>

namespace asyncore::platform {

namespace {

class poll_poller final : public poller {
public:
    void watch(int fd, events interest) override {
        const auto index = static_cast<std::size_t>(fd);
        if (interest == events::none) return forget(index);
        if (index >= places_.size()) places_.resize(index + 1, no_place);
        if (places_[index] == no_place) {
            list_.push_back({fd, 0, 0});
            places_[index] = list_.size() - 1;
        }
        list_[places_[index]].events = static_cast<short>(interest);
    }

    std::string_view name() const noexcept override { return "poll"; }

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
    static constexpr auto no_place = static_cast<std::size_t>(-1);

    void forget(std::size_t fd) {
        if (fd >= places_.size() || places_[fd] == no_place) return;
        list_[places_[fd]] = list_.back();  // the last entry moves to the free place
        places_[static_cast<std::size_t>(list_.back().fd)] = places_[fd];
        places_[fd] = no_place;
        list_.pop_back();
    }

    std::vector<pollfd> list_;
    std::vector<std::size_t> places_;  // by descriptor: its place in list_, or no_place
};

}  // namespace

std::unique_ptr<poller> make_poll_poller() { return std::make_unique<poll_poller>(); }

}  // namespace asyncore::platform
