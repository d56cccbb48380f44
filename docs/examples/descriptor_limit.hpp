// How many files and sockets the process may have open.
#pragma once

#include <sys/resource.h>

/// Raises the limit as far as the system allows.
/// Returns: the limit, or 1024 if the system does not tell.
inline rlim_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
    const auto before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}
