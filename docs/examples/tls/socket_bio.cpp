#include "socket_bio.hpp"

#include "ssl_error.hpp"

#include <asyncore/platform/error.hpp>

#include <utility>

#include <openssl/bio.h>

namespace ssl {

using asyncore::platform::transfer;

namespace {

/// Moves bytes, and keeps for SSLSocket what went wrong.  Returns: as a BIO's method, 1 or 0.
template <class Call>
int move_bytes(BIO* bio, std::size_t* count, Call call) {
    auto& under = *static_cast<carrier*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *count = 0;
    try {
        const transfer done = call(under);
        *count = done.count;
        if (done.error == 0) return 1;
        if (asyncore::platform::would_block(done.error)) return -1;
        under.error = done.error;
    } catch (...) {
        under.thrown = std::current_exception();
    }
    return 0;
}

int read(BIO* bio, char* data, std::size_t size, std::size_t* count) {
    const int result = move_bytes(bio, count, [&](carrier& under) {
        return under.sock.recv({data, size});
    });
    if (result < 0) BIO_set_retry_read(bio);
    if (result > 0 && *count == 0) static_cast<carrier*>(BIO_get_data(bio))->at_eof = true;
    return result > 0 && *count > 0;
}

int write(BIO* bio, const char* data, std::size_t size, std::size_t* count) {
    const int result = move_bytes(bio, count, [&](carrier& under) {
        return under.sock.send({data, size});
    });
    if (result < 0) BIO_set_retry_write(bio);
    return result > 0;
}

long control(BIO* bio, int command, long, void*) {
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;  // nothing is kept back
    case BIO_CTRL_EOF:
        return static_cast<carrier*>(BIO_get_data(bio))->at_eof;
    default:
        return 0;
    }
}

const BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
        auto* const fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "asyncore");
        if (!fresh) throw_errors("BIO_meth_new");
        BIO_meth_set_read_ex(fresh, read);
        BIO_meth_set_write_ex(fresh, write);
        BIO_meth_set_ctrl(fresh, control);
        return fresh;
    }();
    return made;
}

}  // namespace

bio_st* make_bio(carrier& under) {
    BIO* const made = BIO_new(method());
    if (!made) throw_errors("BIO_new");
    BIO_set_data(made, &under);
    BIO_set_init(made, 1);
    return made;
}

}  // namespace ssl
