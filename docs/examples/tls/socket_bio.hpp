// How OpenSSL reads from a socket of asyncore's, and writes to it.
//
// OpenSSL has a BIO for a descriptor, but that one raises SIGPIPE.  A pair of BIOs in memory would do as well, but
// the session would need a buffer for what it has encrypted and the system has not taken, and would have to tell
// the loop of that buffer although the channel wants to send nothing.  Through a BIO of its own the session works
// on the socket itself: OpenSSL says whether it waits to read or to write, which is what the loop must know, and
// the socket may work through another stream in its turn.
#pragma once

#include <asyncore/platform/socket.hpp>

#include <exception>

struct bio_st;  // OpenSSL: BIO

namespace ssl {

/// The socket that carries a session, and what it said last.
struct carrier {
    asyncore::platform::socket sock;
    int error = 0;                // errno, if it was not EAGAIN
    bool at_eof = false;          // the peer has closed
    std::exception_ptr thrown{};  // by a stream that the socket works through
};

/// A BIO on `under`, which must live longer.
bio_st* make_bio(carrier& under);

}  // namespace ssl
