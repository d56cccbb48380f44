// select(2).  Three bit sets, copied at each wait because the kernel writes its answer into them.
//
// Hazards:
// - A descriptor of FD_SETSIZE (1024) or more does not fit, and FD_SET() would write past the set.
// - select(2) says "readable" for data, end of file, hang-up and error alike, so poll(2) is asked
//   which of them it is.
// - One closed descriptor fails the whole call with EBADF, and select(2) does not say which it was:
//   the poller looks for the closed descriptors, and asks select(2) about the rest without waiting.
#include <asyncore/platform/ask_poll.hpp>
#include <asyncore/platform/error.hpp>
#include <asyncore/platform/pollers.hpp>

#include <bit>

#include <fcntl.h>
#include <sys/select.h>

namespace asyncore::platform {

namespace {

struct sets {
    fd_set read, write, priority;
};

class select_poller final : public poller {
public:
    select_poller() {
        FD_ZERO(&watched_.read);
        FD_ZERO(&watched_.write);
        FD_ZERO(&watched_.priority);
    }

    void watch(int fd, events interest) override {
        if (fd >= FD_SETSIZE && interest == events::none) return;
        if (fd >= FD_SETSIZE)
            throw std::invalid_argument("descriptor " + std::to_string(fd) +
                                        " is out of range in select()");
        put(fd, watched_.read, any(interest & events::read));
        put(fd, watched_.write, any(interest & events::write));
        put(fd, watched_.priority, any(interest & events::priority));
        if (interest != events::none && fd >= end_) end_ = fd + 1;
        while (end_ > 0 && !watches(end_ - 1)) --end_;
    }

    int highest() const noexcept override { return FD_SETSIZE - 1; }
    std::string_view name() const noexcept override { return "select"; }

    bool wait_once(timeout limit, std::vector<ready>& found) override {
        auto answer = watched_;
        int count = ask(answer, limit);
        if (count < 0 && errno == EBADF) {
            answer = watched_;
            take_closed(answer, found);
            count = ask(answer, 0.0);
        }
        if (count < 0 && errno == EINTR) {
            found.clear();
            return false;
        }
        if (count < 0) throw_errno("select");
        collect(answer, count, found);
        const bool timed_out = found.empty();
        ask_poll(found, events::read | events::write);
        return timed_out || !found.empty();
    }

private:
    static void put(int fd, fd_set& set, bool in) {
        if (in) FD_SET(fd, &set);
        else FD_CLR(fd, &set);
    }

    bool watches(int fd) const {
        return FD_ISSET(fd, &watched_.read) || FD_ISSET(fd, &watched_.write) ||
               FD_ISSET(fd, &watched_.priority);
    }

    int ask(sets& answer, timeout limit) const {
        ::timeval tv{};
        if (!limit.forever()) tv = limit.timeval();
        return ::select(end_, &answer.read, &answer.write, &answer.priority,
                        limit.forever() ? nullptr : &tv);
    }

    /// Adds what select(2) answered to `found`: `count` bits in the three sets.
    void collect(const sets& answer, int count, std::vector<ready>& found) const {
        for (int fd = 0; fd < end_ && count > 0; ++fd) {
            auto what = events::none;
            if (FD_ISSET(fd, &answer.read)) what |= events::read;
            if (FD_ISSET(fd, &answer.write)) what |= events::write;
            if (FD_ISSET(fd, &answer.priority)) what |= events::priority;
            if (what == events::none) continue;
            found.push_back({fd, what});
            count -= std::popcount(static_cast<unsigned>(what));
        }
    }

    /// Moves the closed descriptors from the sets into `found`.
    void take_closed(sets& question, std::vector<ready>& found) const {
        for (int fd = 0; fd < end_; ++fd) {
            if (!watches(fd) || ::fcntl(fd, F_GETFD) >= 0) continue;
            found.push_back({fd, events::invalid});
            put(fd, question.read, false);
            put(fd, question.write, false);
            put(fd, question.priority, false);
        }
    }

    sets watched_;
    int end_ = 0;  // one more than the highest descriptor watched
};

}  // namespace

std::unique_ptr<poller> make_select_poller() { return std::make_unique<select_poller>(); }

}  // namespace asyncore::platform
