// A socket address, as Python writes it.
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

namespace asyncore::platform {

/// The address of an IPv4, IPv6 or Unix socket, or none.
///
/// Python:    ('127.0.0.1', 80) is address("127.0.0.1", 80); ('::1', 80, 0, 0) is
///            address("::1", 80, 0, 0); '/tmp/s' is address("/tmp/s"), and a path that begins with
///            a zero byte is one of Linux's abstract names.  None is address().
///
/// A host may be a name; it is looked up, and blocks, in socket::bind() and socket::connect_ex(),
/// for the socket's family.  "" is every interface and "<broadcast>" the broadcast address.
///
/// An address takes sixteen bytes; every kind but a numeric IPv4 address has more on the heap.
class address {
public:
    address() noexcept = default;
    /// Throws: std::overflow_error if the port is not between 0 and 65535.
    address(std::string_view host, long port);
    address(std::string_view host, long port, std::uint32_t flowinfo, std::uint32_t scope_id);
    address(std::string_view path);
    address(const char* path) : address(std::string_view(path)) {}
    address(std::nullptr_t) = delete;      // Python's None is {}
    address(std::integral auto) = delete;  // {host, port}
    /// The form that the kernel gives: an address of IPv4 or IPv6, or of a Unix socket.
    address(const sockaddr* name, socklen_t length);

    address(const address& other);
    address(address&& other) noexcept = default;
    address& operator=(address other) noexcept;

    /// False for address() only.  Python: addr is not None.
    explicit operator bool() const noexcept { return kind_ != kind::none; }

    std::string host() const;  // empty for a Unix socket
    std::uint16_t port() const noexcept { return port_; }
    void operator[](std::integral auto) const = delete;  // addr[0] is host(), addr[1] is port()
    std::uint32_t flowinfo() const noexcept { return long_ ? long_->flowinfo : 0; }
    std::uint32_t scope_id() const noexcept { return long_ ? long_->scope_id : 0; }
    std::string path() const;  // of a Unix socket, else empty
    bool is_unix() const noexcept { return kind_ == kind::path; }

    /// What dispatcher::repr() shows: Python's repr() of the address, but "host:port" for a pair.
    std::string repr() const;

    /// AF_INET or AF_INET6 if the host is a number, AF_UNIX for a path.  AF_UNSPEC for a name that must be
    /// looked up, and for address().
    int family() const;

    friend bool operator==(const address& a, const address& b) { return a.repr() == b.repr(); }
    /// The order of Python's tuples: by host, then by port.
    friend std::strong_ordering operator<=>(const address& a, const address& b);
    friend std::ostream& operator<<(std::ostream& out, const address& name);
    friend void operator+(std::string_view, const address&) = delete;  // text + name.repr()
    friend void operator+(const address&, std::string_view) = delete;  // name.repr() + text

    /// The form that the kernel takes.
    struct kernel_form {
        sockaddr_storage name{};
        socklen_t length = 0;
    };
    /// The form of this address for a socket of this family.  Looks names up.  AF_UNSPEC takes the
    /// first family that is found, which is then name.ss_family.
    /// Throws: std::system_error (EADDRNOTAVAIL with the resolver's message for an unknown name),
    ///         std::invalid_argument if the family cannot have such an address.
    kernel_form resolve(int family) const;

private:
    enum class kind : std::uint8_t { none, ipv4, host, host_with_scope, path };
    struct long_form {
        std::string text;  // host or path
        std::uint32_t flowinfo = 0, scope_id = 0;
    };

    std::unique_ptr<long_form> long_;
    std::uint32_t ipv4_ = 0;  // in network order
    std::uint16_t port_ = 0;
    kind kind_ = kind::none;
};

/// All addresses of a host, in the order of the system's preference.  The host of each address is a
/// number, so that no later call looks a name up and blocks.  Python: socket.getaddrinfo().
/// Throws: as address() and address::resolve().
std::vector<address> getaddrinfo(const std::string& host, long port, int family = AF_UNSPEC,
                                 int type = SOCK_STREAM);

}  // namespace asyncore::platform

template <>
struct std::hash<asyncore::platform::address> {
    std::size_t operator()(const asyncore::platform::address& name) const {
        return std::hash<std::string>()(name.repr());
    }
};
