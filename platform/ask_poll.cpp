#include <asyncore/platform/ask_poll.hpp>

namespace asyncore::platform {

namespace {

/// What a descriptor that is watched for `what` is ready for.
///
/// poll(2) is asked about reading and about writing separately: macOS reports POLLHUP when the one
/// side has ended that it was asked about, other systems when both have.  Asked so, all agree.
events ask_both_sides(int fd, events what) {
    const auto reading = what & (events::read | events::priority);
    const auto writing = what & events::write;
    pollfd sides[] = {{fd, static_cast<short>(reading | events::read), 0}, {fd, POLLOUT, 0}};
    if (::poll(sides, 2, 0) < 0) return what;
    const auto in = static_cast<events>(sides[0].revents);
    const auto out = static_cast<events>(sides[1].revents);

    auto answer = in & reading;
    if (any(out & (events::write | events::hangup))) answer |= writing;  // a hang-up may hide room
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
