// Python: Lib/asyncore.py, class dispatcher_with_send.
#include <asyncore/dispatcher_with_send.hpp>

#include <asyncore/platform/repr.hpp>

namespace asyncore {

void dispatcher_with_send::initiate_send() {
    const alive still_here(*this);
    const auto num_sent = dispatcher::send(out_buffer.view().substr(0, 65536));
    if (!still_here) return;
    out_buffer.consume(num_sent);
    interest_changed_();
}

void dispatcher_with_send::handle_write() { initiate_send(); }
bool dispatcher_with_send::writable() { return !connected || !out_buffer.empty(); }

std::size_t dispatcher_with_send::send(std::string_view data) {
    const auto size = data.size();
    if (debug) log_info("sending " + platform::bytes_repr(data));
    out_buffer.append(data);
    interest_changed_();
    initiate_send();
    return size;
}

}  // namespace asyncore
