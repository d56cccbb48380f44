// One descriptor is kept in reserve for the connection that accept(2) refuses with EMFILE.
#include "support.hpp"

#include <asyncore/platform/descriptor_reserve.hpp>
#include <asyncore/platform/socket.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <cerrno>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using socket_t = asyncore::platform::socket;
using support::dev_null;
using support::in_child;

TEST_CASE("descriptor reserve: after EMFILE the waiting connection is accepted and closed") {
    CHECK(in_child([] {
        socket_t listener(AF_INET, SOCK_STREAM);
        listener.bind({support::HOST, 0});
        listener.listen(5);
        std::vector<socket_t> clients(3);
        for (auto& each : clients) {
            each = support::blocking(socket_t(AF_INET, SOCK_STREAM));
            if (each.connect_ex(listener.getsockname()) != 0) return false;
        }

        const int reserved = dev_null().get();
        reserve_descriptor();
        if ((::fcntl(reserved, F_GETFD) & FD_CLOEXEC) == 0) return false;
        const rlimit few{64, 64};
        if (::setrlimit(RLIMIT_NOFILE, &few) < 0) return false;
        std::vector<unique_fd> all;
        for (auto fd = dev_null(); fd.get() >= 0; fd = dev_null()) all.push_back(std::move(fd));
        int error = 0;
        if (listener.accept(error).first || error != EMFILE) return false;

        for (auto& each : clients) {
            char byte = 0;
            if (!drop_connection(listener.fileno())) return false;
            if (each.recv({&byte, 1}).count != 0) return false;
        }
        // The descriptor is in reserve again, and no connection waits.
        if (dev_null().get() >= 0) return false;
        all.pop_back();
        return !listener.accept(error).first && error == EAGAIN;
    }));
}

TEST_CASE("descriptor reserve: with no descriptor in reserve (EMFILE) nothing is accepted") {
    CHECK(in_child([] {
        const rlimit few{64, 64};
        if (::setrlimit(RLIMIT_NOFILE, &few) < 0) return false;
        std::vector<unique_fd> all;
        for (auto fd = dev_null(); fd.get() >= 0; fd = dev_null()) all.push_back(std::move(fd));
        if (drop_connection(all[0].get())) return false;
        all.pop_back();  // now a descriptor can be reserved
        return drop_connection(all[0].get());
    }));
}
