#include "call.hpp"

#include "report.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <execinfo.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace faults {

namespace {

// True while the injector works.  What it calls meanwhile is no call of the server.
bool at_work = false;

// This runs before main().  backtrace() loads a library when it is called first, which must not happen
// inside of a call of the server.  A server that runs under a sweep ends with it.
__attribute__((constructor)) void prepare() {
    at_work = true;
    if (const char* const path = ::getenv("FAULTS_REPORT")) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::access(path, F_OK) != 0) ::_exit(99);  // the sweep ended before
    }
    void* frame = nullptr;
    ::backtrace(&frame, 1);
    at_work = false;
}

slot* slot_of(report& here, std::string_view name) {
    for (std::uint64_t i = 0; i < here.slots_used; ++i)
        if (name == here.slots[i].name) return &here.slots[i];
    slot& added = here.slots[here.slots_used++];
    std::memcpy(added.name, name.data(), name.size());
    return &added;
}

}  // namespace

verdict call::next() noexcept {
    report* const here = current_report();
    if (!here || at_work) return {};
    const int error = errno;
    at_work = true;
    if (!slot_) slot_ = slot_of(*here, name_);
    const std::uint64_t index = ++slot_->calls;
    if (here->waits == 0) slot_->calls_in_startup = index;
    const verdict found = judge(name_.data(), name_.size(), index);
    if (found.what != effect::none) {
        if (here->fired == 0) {
            here->fired_at = now();
            here->fired_in_startup = here->waits == 0;
        }
        ++here->fired;
        report_stack();
    }
    at_work = false;
    errno = error;
    return found;
}

bool call::fails() noexcept {
    const verdict found = next();
    if (found.what != effect::error) return false;
    errno = found.number;
    return true;
}

}  // namespace faults
