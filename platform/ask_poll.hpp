// For mechanisms that cannot tell a hang-up or an error from end of file: poll(2) can.
// Internal: not installed.
#pragma once

#include <asyncore/platform/poller.hpp>

namespace asyncore::platform {

/// Asks poll(2), without waiting, about each entry of `found` that has any event of `doubtful` set,
/// and replaces its events by the answer.  An entry that is not ready after all is removed.
void ask_poll(std::vector<ready>& found, events doubtful);

}  // namespace asyncore::platform
