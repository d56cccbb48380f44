// As asyncore/hidden_members.hpp, for async_chat.
#pragma once

#include <asynchat/async_chat.hpp>
#include <asyncore/hidden_members.hpp>

namespace asynchat {

template <class T>
consteval auto async_chat::hidden_in_() {
    if constexpr (!requires {
                      asyncore::same_member<&T::ac_in_buffer_size, &async_chat::ac_in_buffer_size>;
                  })
        return &async_chat::ac_in_buffer_size;
    else if constexpr (!requires {
                           asyncore::same_member<&T::ac_out_buffer_size,
                                                 &async_chat::ac_out_buffer_size>;
                       })
        return &async_chat::ac_out_buffer_size;
    else if constexpr (!requires {
                           asyncore::same_member<&T::ac_in_buffer, &async_chat::ac_in_buffer>;
                       })
        return &async_chat::ac_in_buffer;
    else if constexpr (!requires { asyncore::same_member<&T::incoming, &async_chat::incoming>; })
        return &async_chat::incoming;
    else if constexpr (!requires {
                           asyncore::same_member<&T::producer_fifo, &async_chat::producer_fifo>;
                       })
        return &async_chat::producer_fifo;
    else if constexpr (!requires {
                           asyncore::same_member<&T::terminator, &async_chat::terminator>;
                       })
        return &async_chat::terminator;
    else if constexpr (!requires { asyncore::same_member<&T::coalesce_, &async_chat::coalesce_>; })
        return &async_chat::coalesce_;
    else if constexpr (!requires {
                           asyncore::same_member<&T::send_later_, &async_chat::send_later_>;
                       })
        return &async_chat::send_later_;
    else if constexpr (!requires {
                           asyncore::same_member<&T::finish_sending_, &async_chat::finish_sending_>;
                       })
        return &async_chat::finish_sending_;
    else if constexpr (!requires {
                           asyncore::same_member<&T::queue_limit_, &async_chat::queue_limit_>;
                       })
        return &async_chat::queue_limit_;
    else return dispatcher::hidden_in_<T>();
}

}  // namespace asynchat
