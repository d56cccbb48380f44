// TLS for asyncore, in the names of Python's module ssl.  It needs OpenSSL 3.
#pragma once

#include "ssl_connection.hpp"
#include "ssl_context.hpp"
#include "ssl_error.hpp"
#include "ssl_socket.hpp"
