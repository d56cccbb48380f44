// What SMTPChannel._getaddr() makes of each line of standard input: the address and the rest, as
// Python shows bytes; or "raises".
#include <iostream>
#include <memory>
#include <string>

#include "mock_socket.hpp"
#include "smtpd.hpp"

int main() {
    smtpd::SMTPServer server({"127.0.0.1", 0}, {"127.0.0.1", 0});
    using asyncore::socket_t;
    smtpd::SMTPChannel channel(server, socket_t(std::make_unique<mock_socket::MockSocket>()), {});
    for (std::string line; std::getline(std::cin, line);) {
        try {
            const auto [address, rest] = channel._getaddr(line);
            py::print(std::cout, py::repr(address, true), py::repr(rest, true));
        } catch (const std::exception&) {
            py::print(std::cout, "raises");
        }
    }
}
