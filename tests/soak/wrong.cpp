// Echo servers that are wrong on purpose: test_soak.py shows that the soak finds what is wrong.
//
//     wrong nothing|changes|loses|doubles|mixes|is_silent|closes|keeps_descriptors|keeps_memory|spins|ends
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

std::string_view fault;

struct peer {
    std::string line, queue;
    bool has_ended = false, is_forgotten = false;
};
std::map<int, peer> peers;
long lines = 0, closed = 0;

void answer(peer& here, std::string line) {
    // The fault is in one line of twenty.
    const bool is_wrong = ++lines % 20 == 0;
    if (is_wrong && fault == "changes") line[line.size() / 2] ^= 1;
    if (is_wrong && fault == "loses") line.erase(line.size() / 2, 1);
    if (is_wrong && fault == "doubles") line += line;
    if (is_wrong && fault == "closes") here.has_ended = true;
    here.is_forgotten |= is_wrong && fault == "is_silent" && here.queue.empty();
    if (here.is_forgotten) return;
    if (is_wrong && fault == "ends") std::exit(3);
    auto& to = is_wrong && fault == "mixes" ? peers.begin()->second : here;
    to.queue += line;
    if (to.queue.size() > 4 << 20) to.has_ended = true;  // the peer does not read
}

void read_from(int fd, peer& here) {
    char buffer[65536];
    const auto got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) {
        here.has_ended = true;
        return;
    }
    for (const char c : std::string_view(buffer, static_cast<std::size_t>(got))) {
        here.line += c;
        if (!here.line.ends_with("\r\n")) continue;
        answer(here, here.line);
        here.line.clear();
    }
}

void write_to(int fd, peer& here) {
    const auto sent = ::send(fd, here.queue.data(), here.queue.size(), MSG_NOSIGNAL);
    if (sent < 0) here.has_ended = true;
    else here.queue.erase(0, static_cast<std::size_t>(sent));
}

void close_ended() {
    for (auto next = peers.begin(); next != peers.end();) {
        if (!next->second.has_ended) {
            ++next;
            continue;
        }
        const bool keeps = ++closed % 20 == 0;
        if (fault == "keeps_descriptors" && keeps) ::shutdown(next->first, SHUT_RDWR);
        else ::close(next->first);
        if (fault == "keeps_memory") new std::string(100'000, 'x');
        next = peers.erase(next);
    }
}

void turn(int listener) {
    std::vector<pollfd> all{{listener, POLLIN, 0}};
    for (const auto& [fd, here] : peers) {
        const int events = POLLIN | (here.queue.empty() ? 0 : POLLOUT);
        all.push_back({fd, static_cast<short>(events), 0});
    }
    ::poll(all.data(), all.size(), fault == "spins" ? 0 : -1);
    for (const auto& each : all) {
        if (each.revents == 0 || each.fd == listener) continue;
        auto& here = peers[each.fd];
        if ((each.revents & POLLOUT) != 0) write_to(each.fd, here);
        if ((each.revents & ~POLLOUT) != 0) read_from(each.fd, here);
    }
    if (all[0].revents != 0) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        if (fd >= 0) peers[fd];
    }
    close_ended();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    fault = argv[1];
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    auto* const address = reinterpret_cast<sockaddr*>(&name);
    if (::bind(listener, address, size) != 0 || ::listen(listener, 4096) != 0 ||
        ::getsockname(listener, address, &size) != 0)
        return 2;
    std::printf("PORT %d\n", ntohs(name.sin_port));
    std::fflush(stdout);
    while (true) turn(listener);
}
