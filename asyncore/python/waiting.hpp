// How a wait lets other threads of Python run.
#pragma once

#include <asyncore/platform/poller.hpp>

#include <memory>
#include <string_view>

namespace asyncore::python {

/// A poller that gives the GIL away while it waits, and runs the handlers of Python's signals when a signal
/// ended a wait.
std::unique_ptr<platform::poller> make_releasing_poller(std::string_view mechanism);

}  // namespace asyncore::python
