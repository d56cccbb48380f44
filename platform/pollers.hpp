// The factories of the mechanisms, one per file.  Internal: not installed.
#pragma once

#include <asyncore/platform/poller.hpp>

namespace asyncore::platform {

std::unique_ptr<poller> make_select_poller();
std::unique_ptr<poller> make_poll_poller();
std::unique_ptr<poller> make_epoll_poller();
std::unique_ptr<poller> make_kqueue_poller();

}  // namespace asyncore::platform
