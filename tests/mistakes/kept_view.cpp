// A view is kept after the hook has returned.
// run: heap-use-after-free[^$]*kept_view.cpp:14
// flags: -fsanitize=address -g
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>
#include <cstdio>
struct chat : asynchat::async_chat {
    std::string_view line;

    explicit chat(asyncore::socket_t sock) : async_chat(std::move(sock)) { set_terminator("\n"); }
    void collect_incoming_data(std::string_view data) override { line = data; }
    void found_terminator() override {
        close();
        std::printf("%c\n", line[0]);
    }
};
int main() {
    auto [ours, theirs] = asyncore::socket_t::pair();
    asyncore::spawn<chat>(std::move(ours));
    theirs.send("hello\n");
    asyncore::loop();
}
