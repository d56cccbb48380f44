// platform/error.hpp: errno as an exception.
#include <asyncore/platform/error.hpp>

#include <cerrno>
#include <ostream>
#include <string>
#include <system_error>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using namespace std::string_literals;

TEST_CASE("error: os_error() has the errno and the generic category") {
    const auto error = os_error(ENOENT, "open");
    CHECK(error.code().value() == ENOENT);
    CHECK(error.code().category() == std::generic_category());
    CHECK(error.what() == "open: No such file or directory"s);
}

TEST_CASE("error: every errno of a lost connection has its std::errc condition") {
    CHECK(os_error(ECONNRESET, "").code() == std::errc::connection_reset);
    CHECK(os_error(ENOTCONN, "").code() == std::errc::not_connected);
    CHECK(os_error(ECONNABORTED, "").code() == std::errc::connection_aborted);
    CHECK(os_error(EPIPE, "").code() == std::errc::broken_pipe);
    CHECK(os_error(EBADF, "").code() == std::errc::bad_file_descriptor);
}

TEST_CASE("error: throw_errno() throws the errno of the last system call") {
    errno = EACCES;
    try {
        throw_errno("bind");
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == EACCES);
        CHECK(error.what() == "bind: Permission denied"s);
    }
}
