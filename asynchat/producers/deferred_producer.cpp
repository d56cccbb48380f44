#include <asynchat/producers/deferred_producer.hpp>

#include <utility>

namespace asynchat {

deferred_producer::deferred_producer(async_chat& channel)
    : deferred_producer([channel = std::weak_ptr(asyncore::self(channel))] {
          if (const auto receiver = channel.lock()) receiver->more_to_send_();
      }) {}

void deferred_producer::write(std::string_view data) {
    if (data.empty()) return;
    bytes_ += data;
    wake();
}

void deferred_producer::close() {
    closed_ = true;
    wake();
}

void deferred_producer::wake() {
    const bool was_awaited = std::exchange(awaited_, false);
    if (was_awaited) wake_();
}

std::string deferred_producer::more() {
    awaited_ = bytes_.empty();
    auto data = std::exchange(bytes_, {});
    if (!data.empty() && handle_taken) handle_taken();
    return data;
}

}  // namespace asynchat
