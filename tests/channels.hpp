// A channel that tests of the loop have in common.
#pragma once

#include <asyncore/asyncore.hpp>

#include <array>
#include <string>
#include <vector>

namespace support {

using lines = std::vector<std::string>;

inline constexpr std::array both_deliveries{false, true};

/// Notes which hooks are called.  Its predicates answer `reads` and `writes`.
struct noting : asyncore::dispatcher {
    using dispatcher::dispatcher;
    lines log;
    bool reads = true, writes = false;
    bool readable() override { return reads; }
    bool writable() override { return writes; }
    void handle_read() override {
        log.emplace_back("read");
        std::array<char, 100> room;
        static_cast<void>(socket.recv(room));
    }
    void handle_write() override { log.emplace_back("write"); }
    void handle_expt() override {
        log.emplace_back("expt");
        char byte = 0;
        static_cast<void>(socket.recv({&byte, 1}, MSG_OOB));
    }
    void handle_connect() override { log.emplace_back("connect"); }
    void handle_close() override { log.emplace_back("close"); }
    void handle_error() override { log.emplace_back("error"); }
};

}  // namespace support
