// How many files and sockets the process may have open.
#pragma once

#include <sys/resource.h>

/// Raises the limit as far as the system allows.
/// Returns: the limit.
inline rlim_t raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}
