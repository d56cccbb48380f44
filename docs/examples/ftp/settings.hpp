// What a program sets for all sessions of a server.
// Python: the class attributes of FTPServer, FTPHandler, PassiveDTP, ActiveDTP and DTPHandler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ftp {

struct settings {
    std::string banner = "This server is an example of asyncore and asynchat for C++.";

    // Seconds.
    double timeout = 300;            // between two commands
    double login_timeout = 60;       // from the connection to the right password
    double accept_timeout = 30;      // until a data connection is there
    double data_timeout = 300;       // in which a transfer must move a byte
    double auth_failed_timeout = 3;  // a wrong password is answered so much later
    double linger = 10;              // in which a client must take the last reply

    std::size_t max_cons = 512;       // 0: as many as there are descriptors for
    std::size_t max_cons_per_ip = 0;  // 0: any number
    int max_login_attempts = 3;
    std::size_t max_line = 2048;  // bytes of a command

    /// The range of ports for PASV and EPSV.  0: any port that is free.
    std::uint16_t first_passive_port = 0, last_passive_port = 0;
};

inline constexpr std::uint16_t first_unprivileged_port = 1024;
/// So many bytes are received, sent, or read from a file at a time.
inline constexpr std::uint32_t piece_size = 65536;

}  // namespace ftp
