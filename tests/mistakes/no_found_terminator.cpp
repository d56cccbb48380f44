// found_terminator() is spelled wrong, and `override` is missing.
// run: NotImplementedError.*must be implemented in subclass
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>
struct chat : asynchat::async_chat {
    explicit chat(asyncore::socket_t sock) : async_chat(std::move(sock)) { set_terminator("\n"); }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    virtual void found_terminater() { close(); }
};
int main() {
    auto [ours, theirs] = asyncore::socket_t::pair();
    asyncore::spawn<chat>(std::move(ours));
    theirs.send("hello\n");
    asyncore::loop();
}
