// A dispatcher that keeps what could not be sent yet.  Python: class dispatcher_with_send.
#pragma once

#include <asyncore/byte_buffer.hpp>
#include <asyncore/dispatcher.hpp>

namespace asyncore {

/// For simple clients; asynchat::async_chat has more.
class dispatcher_with_send : public dispatcher {
public:
    using dispatcher::dispatcher;
    using dispatcher::recv;

    byte_buffer out_buffer;

    /// As dispatcher::init(), with an empty out_buffer.
    void init(socket_t sock, channel_map* map = nullptr) {
        dispatcher::init(std::move(sock), map);
        out_buffer.release();
    }

    /// Sends once, 65536 bytes at most.
    virtual void initiate_send();
    void handle_write() override;
    bool writable() override;
    /// Appends a copy of `data` to out_buffer, and sends once.
    /// Returns: the number of bytes in `data`.  Differs: D6 - Python returns None.
    std::size_t send(std::string_view data) override;

    template <class T>
    static consteval auto hidden_in_();
};

template <>
inline constexpr bool predicates_follow_state<dispatcher_with_send> = true;

}  // namespace asyncore

#include <asyncore/hidden_members.hpp>
