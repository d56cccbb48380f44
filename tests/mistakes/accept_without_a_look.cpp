// accept() returns a pair or None, and is unpacked without a look, as in Python.
// error: optional<std::pair<
#include <asyncore/asyncore.hpp>
struct server : asyncore::dispatcher {
    void handle_accept() override {
        auto [conn, addr] = accept();  // here
    }
};
