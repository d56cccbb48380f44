// handle_close() does not close the channel, so its end of file is reported for ever.
// run: reader: 1000 events in a row moved no byte: .*does handle_close\(\) not close the channel
#include <asyncore/asyncore.hpp>
struct reader : asyncore::dispatcher {
    using dispatcher::dispatcher;
    int closes = 0;
    bool writable() override { return false; }
    void handle_read() override { recv(100); }
    void handle_close() override {
        ++closes;
        if (closes == 2000) close();
    }
};
int main() {
    auto [ours, theirs] = asyncore::socket_t::pair();
    asyncore::spawn<reader>(std::move(ours));
    theirs.close();
    asyncore::loop();
}
