// An override of recv() hides the form that returns a string.
// error: span<char
#include <asyncore/asyncore.hpp>
struct counting : asyncore::dispatcher {
    std::size_t count = 0;
    std::size_t recv(std::span<char> buffer) override { return count += dispatcher::recv(buffer); }
    void handle_read() override { log_info(recv(100)); }  // here
};
