#include <asyncore/platform/ask_poll.hpp>

namespace asyncore::platform {

namespace {

/// What a descriptor that is watched for `what` is ready for.
///
/// poll(2) is asked about reading and about writing in two entries.  On macOS an entry reports POLLHUP
/// if the side that it asks about has ended; on other systems, if both sides have ended.  So what both
/// entries report is a hang-up on every system.
events ask_both_sides(int fd, events what) {
    const auto reading = what & (events::read | events::priority);
    const auto writing = what & events::write;
    pollfd sides[] = {{fd, static_cast<short>(reading | events::read), 0}, {fd, POLLOUT, 0}};
    if (::poll(sides, 2, 0) < 0) return what;
    const auto in = static_cast<events>(sides[0].revents);
    const auto out = static_cast<events>(sides[1].revents);

    auto answer = in & reading;
    // POLLHUP takes the place of POLLOUT, and select(2) says "writable" for both.
    if (any(out & (events::write | events::hangup))) answer |= writing;
    answer |= in & out & events::hangup;
    answer |= (in | out) & (events::error | events::invalid);
    return answer;
}

}  // namespace

void ask_poll(std::vector<ready>& found, events doubtful) {
    for (auto& each : found)
        if (any(each.what & doubtful)) each.what = ask_both_sides(each.fd, each.what);
    std::erase_if(found, [](const ready& each) { return each.what == events::none; });
}

}  // namespace asyncore::platform
