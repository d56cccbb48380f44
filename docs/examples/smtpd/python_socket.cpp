// Python: socket.getfqdn().
#include "python.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace py {

namespace {

const hostent* host_of(const sockaddr* name) {
    if (name->sa_family == AF_INET6) {
        const auto& address = reinterpret_cast<const sockaddr_in6*>(name)->sin6_addr;
        return ::gethostbyaddr(&address, sizeof address, AF_INET6);
    }
    const auto& address = reinterpret_cast<const sockaddr_in*>(name)->sin_addr;
    return ::gethostbyaddr(&address, sizeof address, name->sa_family);
}

bool has_dot(std::string_view name) { return name.find('.') != name.npos; }

}  // namespace

std::string getfqdn() {
    char name[256] = "";
    if (::gethostname(name, sizeof name - 1) != 0) return "";
    // Python calls gethostbyaddr(name), which looks up the name first and then its address.
    const addrinfo hints{};
    addrinfo* found = nullptr;
    if (::getaddrinfo(name, nullptr, &hints, &found) != 0) return name;
    const hostent* host = host_of(found->ai_addr);
    ::freeaddrinfo(found);
    if (!host) return name;
    if (has_dot(host->h_name)) return host->h_name;
    for (char** alias = host->h_aliases; *alias; ++alias)
        if (has_dot(*alias)) return *alias;
    return host->h_name;
}

}  // namespace py
