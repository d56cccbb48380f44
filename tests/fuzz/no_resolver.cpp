// A fuzz target asks no name server: getaddrinfo(3) reads numbers only.  meson.build has the linker call
// __wrap_getaddrinfo().
#include <netdb.h>

extern "C" int __real_getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                                  addrinfo** found);

extern "C" int __wrap_getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                                  addrinfo** found) {
    addrinfo numeric{};
    if (hints) numeric = *hints;
    numeric.ai_flags |= AI_NUMERICHOST;
    return __real_getaddrinfo(host, service, &numeric, found);
}
