// A loop over all sessions, where a peer is gone and its handle_close() takes it out of the list.
// run: heap-use-after-free[^$]*broadcast.cpp:20
// flags: -fsanitize=address -g
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>
#include <unordered_set>
struct session;
std::unordered_set<session*> sessions;
struct session : asynchat::async_chat {
    explicit session(asyncore::socket_t sock) : async_chat(std::move(sock)) {
        sessions.insert(this);
    }
    void handle_close() override {
        sessions.erase(this);
        close();
    }
};
void broadcast(std::string_view line) {
    // Right: for (auto* each : std::vector(sessions.begin(), sessions.end())) ...
    for (auto* each : sessions) each->push(line);
}
int main() {
    for (int i = 0; i < 3; ++i) {
        auto [ours, theirs] = asyncore::socket_t::pair();
        asyncore::spawn<session>(std::move(ours));
    }
    broadcast("hello\n");
}
