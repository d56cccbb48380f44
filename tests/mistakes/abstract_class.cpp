// A channel lacks a method, so its class is abstract.
// error: lacks a method
#include <asyncore/asyncore.hpp>
struct waker : asyncore::channel {
    bool readable() override { return true; }
    bool writable() override { return false; }
    void handle_read_event() override {}
    void handle_write_event() override {}
    void handle_expt_event() override {}
    void handle_close() override {}
    void handle_error() override {}
};
int main() {
    asyncore::spawn<waker>();  // here
}
