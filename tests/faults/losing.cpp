// Servers with known faults, which the sweep must find.  They echo what they receive.
//
//     losing exits     ends when accept() fails
//     losing deaf      never accepts again after accept() has failed
//     losing spins     asks again at once when accept() fails, and never takes the connection
//     losing forgets   loses two clients when accept() fails
//     losing nothing   has no known fault
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

std::string_view fault;
std::vector<pollfd> watched;  // the listener is the first one

int listen_here() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener, reinterpret_cast<sockaddr*>(&here), sizeof here) != 0) return -1;
    return ::listen(listener, 128) == 0 ? listener : -1;
}

void accept_one() {
    static bool failed = false;
    const int fd = failed && fault == "spins" ? -1 : ::accept(watched[0].fd, nullptr, nullptr);
    if (fd >= 0) return watched.push_back({fd, POLLIN, 0});
    failed = true;
    if (fault == "exits") ::_exit(1);
    if (fault == "deaf") watched[0].events = 0;
    if (fault == "forgets")
        for (int i = 0; i < 2 && watched.size() > 1; ++i) {
            ::close(watched.back().fd);
            watched.pop_back();
        }
}

bool echo(int fd) {
    char data[4096];
    const auto size = ::recv(fd, data, sizeof data, 0);
    if (size > 0 && ::send(fd, data, static_cast<std::size_t>(size), MSG_NOSIGNAL) == size)
        return true;
    ::close(fd);
    return false;
}

}  // namespace

int main(int, char** argv) {
    fault = argv[1];
    watched.push_back({listen_here(), POLLIN, 0});
    if (watched[0].fd < 0) return 2;
    for (;;) {
        ::poll(watched.data(), watched.size(), 30000);
        for (std::size_t i = watched.size(); i-- > 1;)
            if (watched[i].revents != 0 && !echo(watched[i].fd))
                watched.erase(watched.begin() + static_cast<std::ptrdiff_t>(i));
        if (watched[0].revents != 0) accept_one();
    }
}
