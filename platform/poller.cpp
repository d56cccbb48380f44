// Which mechanisms there are, and what all pollers have in common.
#include <asyncore/platform/poller.hpp>

#include <asyncore/platform/error.hpp>
#include <asyncore/platform/pollers.hpp>

#include <chrono>
#include <cstdlib>
#include <thread>

namespace asyncore::platform {

namespace {

struct mechanism {
    std::string_view name;
    std::unique_ptr<poller> (*make)();
};

const mechanism mechanisms[] = {
#ifdef ASYNCORE_HAVE_EPOLL
    {"epoll", make_epoll_poller},
#endif
#ifdef ASYNCORE_HAVE_KQUEUE
    {"kqueue", make_kqueue_poller},
#endif
    {"poll", make_poll_poller},
    {"select", make_select_poller},
};

std::string_view named_by_environment() {
    const char* name = std::getenv("ASYNCORE_POLLER");
    return name && *name ? name : mechanisms[0].name;
}

}  // namespace

const std::vector<std::string_view>& poller_names() {
    static const auto names = [] {
        std::vector<std::string_view> all;
        for (const auto& each : mechanisms) all.push_back(each.name);
        return all;
    }();
    return names;
}

std::unique_ptr<poller> make_poller(std::string_view name) {
    if (name.empty()) name = named_by_environment();
    for (const auto& each : mechanisms)
        if (each.name == name) return each.make();
    std::string known;
    for (const auto& each : mechanisms) known += " " + std::string(each.name);
    throw std::invalid_argument("no poller \"" + std::string(name) + "\" here, only:" + known);
}

void poller::wait(timeout limit, std::vector<ready>& found) {
    using clock = std::chrono::steady_clock;
    found.clear();
    const bool is_finite = !limit.zero() && !limit.forever();
    const auto start = is_finite ? clock::now() : clock::time_point();
    bool over = wait_once(limit, found);
    for (int again = 1; !over; ++again) {
        const auto before = clock::now();
        over = wait_once(is_finite ? limit.after(before - start) : limit, found);
        // If the system says again and again, and without waiting, that a signal came, this thread
        // would spin.  So it pauses.
        const bool at_once = clock::now() - before < std::chrono::microseconds(100);
        if (!over && at_once && again > 20)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

}  // namespace asyncore::platform
