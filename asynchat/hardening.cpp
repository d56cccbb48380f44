// What async_chat does about a peer that does not read, or that sends nothing more, and about a hook that
// keeps a view.  Python has none of these.
#include <asynchat/async_chat.hpp>

#include <asyncore/platform/descriptor.hpp>

#include <vector>

namespace asynchat {

/// Differs: D37 - a channel rests after ten events in a row that moved no byte.  A stream may move bytes
/// of which the channel sees nothing yet: the parts of a TLS record.
void async_chat::rest_if_in_vain_() {
    if (in_vain_ < 10 || _map->exact || socket.layer()) return;
    if (!connected && !connecting && asyncore::platform::has_peer(_fileno)) {
        connected = true;  // getpeername(2) failed when the channel got its socket
        return;
    }
    in_vain_ = 10;  // one more such event, and the channel rests again
    _map->rest(_fileno);
}

/// Gives the hook a copy that ends with the call.  So AddressSanitizer names the line that uses a view
/// after the call.  A view of the block itself would show other bytes then, and nothing would tell.
void async_chat::collect_copy_(std::string_view data) {
    const std::vector<char> copy(data.begin(), data.end());
    collect_incoming_data({copy.data(), copy.size()});
}

void async_chat::send_and_count_() {
    const alive still_here(*this);
    initiate_send();
    if (!still_here) return;
    queued_at_most_ = producer_fifo.bytes();
    if (queued_at_most_ > queue_limit_) handle_queue_limit_();
}

void async_chat::handle_queue_limit_() {
    const alive still_here(*this);
    log_info("the peer does not read, " + std::to_string(queued_at_most_) + " bytes are queued",
             "error");
    if (still_here) handle_close();
}

void async_chat::handle_eof_() {
    if (!finish_sending_ || producer_fifo.empty()) return handle_close();
    _map->stop_reading(_fileno);
    close_when_done();
}

}  // namespace asynchat
