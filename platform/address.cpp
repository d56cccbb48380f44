#include <asyncore/platform/address.hpp>

#include <asyncore/platform/error.hpp>
#include <asyncore/platform/repr.hpp>

#include <cstddef>
#include <cstring>
#include <ostream>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace asyncore::platform {

namespace {

/// A path as Python shows it.  Python shows an abstract name as bytes.
std::string path_repr(std::string_view path) {
    return path.starts_with('\0') ? bytes_repr(path) : str_repr(path);
}

std::string text_of(int family, const void* bytes) {
    char text[INET6_ADDRSTRLEN] = "";
    ::inet_ntop(family, bytes, text, sizeof text);
    return text;
}

address::kernel_form unix_form(std::string_view path) {
    address::kernel_form form;
    auto& name = reinterpret_cast<sockaddr_un&>(form.name);
    // An empty path is an abstract name that the kernel chooses.
    const bool abstract = path.empty() || path.starts_with('\0');
    // A path needs room for the zero byte that ends it; an abstract name does not.
    if (path.size() + !abstract > sizeof name.sun_path)
        throw std::invalid_argument("AF_UNIX path too long: " + path_repr(path));
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), path.size());
    form.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + !abstract);
    return form;
}

address::kernel_form ipv4_form(in_addr_t host, std::uint16_t port) {
    address::kernel_form form;
    auto& in = reinterpret_cast<sockaddr_in&>(form.name);
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = host;
    in.sin_port = htons(port);
    form.length = sizeof in;
    return form;
}

using address_list = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

/// Looks `host` up.  An empty host means every interface.
address_list look_up(const std::string& host, int family, int type = SOCK_STREAM) {
    if (host.find('\0') != host.npos)
        throw std::invalid_argument("host name must not contain null character");
    addrinfo hints{};
    hints.ai_family = family;
    hints.ai_socktype = type;
    hints.ai_flags = host.empty() ? AI_PASSIVE : 0;
    addrinfo* found = nullptr;
    const int failure = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                      host.empty() ? "0" : nullptr, &hints, &found);
    if (failure != 0) {
        const int error = failure == EAI_SYSTEM ? errno : EADDRNOTAVAIL;
        throw os_error(error, "address \"" + host + "\": " + ::gai_strerror(failure));
    }
    return {found, ::freeaddrinfo};
}

/// Sets the port, which getaddrinfo(3) was not told.
address::kernel_form with_port(const addrinfo& found, std::uint16_t port) {
    address::kernel_form form;
    std::memcpy(&form.name, found.ai_addr, found.ai_addrlen);
    form.length = found.ai_addrlen;
    if (form.name.ss_family == AF_INET6)
        reinterpret_cast<sockaddr_in6&>(form.name).sin6_port = htons(port);
    else reinterpret_cast<sockaddr_in&>(form.name).sin_port = htons(port);
    return form;
}

std::uint16_t port_of(long number) {
    if (!std::in_range<std::uint16_t>(number))
        throw std::overflow_error("port must be 0-65535, not " + std::to_string(number));
    return static_cast<std::uint16_t>(number);
}

}  // namespace

std::vector<address> getaddrinfo(const std::string& host, long port, int family, int type) {
    const auto checked = port_of(port);
    const auto found = look_up(host, family, type);
    std::vector<address> all;
    for (const auto* each = found.get(); each; each = each->ai_next) {
        const auto form = with_port(*each, checked);
        all.emplace_back(reinterpret_cast<const sockaddr*>(&form.name), form.length);
    }
    return all;
}

address::address(std::string_view host, long port) : port_(port_of(port)), kind_(kind::host) {
    in_addr parsed;
    const std::string text(host);
    if (text.find('\0') == text.npos && ::inet_pton(AF_INET, text.c_str(), &parsed) == 1) {
        kind_ = kind::ipv4;
        ipv4_ = parsed.s_addr;
        return;
    }
    long_ = std::make_unique<long_form>(long_form{text});
}

address::address(std::string_view host, long port, std::uint32_t flowinfo, std::uint32_t scope_id)
    : long_(std::make_unique<long_form>(long_form{std::string(host), flowinfo, scope_id})),
      port_(port_of(port)),
      kind_(kind::host_with_scope) {}

address::address(std::string_view path)
    : long_(std::make_unique<long_form>(long_form{std::string(path)})), kind_(kind::path) {}

address::address(const sockaddr* name, socklen_t length) {
    if (name->sa_family == AF_INET) {
        const auto& in = reinterpret_cast<const sockaddr_in&>(*name);
        kind_ = kind::ipv4;
        ipv4_ = in.sin_addr.s_addr;
        port_ = ntohs(in.sin_port);
    } else if (name->sa_family == AF_INET6) {
        const auto& in = reinterpret_cast<const sockaddr_in6&>(*name);
        *this = address(text_of(AF_INET6, &in.sin6_addr), ntohs(in.sin6_port),
                        ntohl(in.sin6_flowinfo), in.sin6_scope_id);
    } else if (name->sa_family == AF_UNIX) {
        const auto& un = reinterpret_cast<const sockaddr_un&>(*name);
        const auto head = offsetof(sockaddr_un, sun_path);
        std::string_view path(un.sun_path, length > head ? length - head : 0);
        if (!path.starts_with('\0')) path = path.substr(0, path.find('\0'));
        *this = address(path);
    }
}

address::address(const address& other)
    : long_(other.long_ ? std::make_unique<long_form>(*other.long_) : nullptr),
      ipv4_(other.ipv4_),
      port_(other.port_),
      kind_(other.kind_) {}

address& address::operator=(address other) noexcept {
    long_ = std::move(other.long_);
    ipv4_ = other.ipv4_;
    port_ = other.port_;
    kind_ = other.kind_;
    return *this;
}

std::string address::host() const {
    if (kind_ == kind::ipv4) return text_of(AF_INET, &ipv4_);
    return long_ && kind_ != kind::path ? long_->text : "";
}

std::string address::path() const { return kind_ == kind::path ? long_->text : ""; }

std::string address::repr() const {
    if (kind_ == kind::none) return "None";
    if (kind_ == kind::path) return path_repr(long_->text);
    if (kind_ != kind::host_with_scope) return host() + ":" + std::to_string(port_);
    return "(" + path_repr(long_->text) + ", " + std::to_string(port_) + ", " +
           std::to_string(long_->flowinfo) + ", " + std::to_string(long_->scope_id) + ")";
}

int address::family() const {
    if (kind_ == kind::ipv4) return AF_INET;
    if (kind_ == kind::path) return AF_UNIX;
    in6_addr parsed;
    const bool is_ipv6 = long_ && ::inet_pton(AF_INET6, long_->text.c_str(), &parsed) == 1;
    return is_ipv6 ? AF_INET6 : AF_UNSPEC;
}

std::strong_ordering operator<=>(const address& a, const address& b) {
    const auto key = [](const address& name) {
        return std::tuple(name.host(), name.path(), name.port(), name.repr());
    };
    return key(a) <=> key(b);
}

std::ostream& operator<<(std::ostream& out, const address& name) { return out << name.repr(); }

address::kernel_form address::resolve(int family) const {
    if (family == AF_UNSPEC && kind_ == kind::path) family = AF_UNIX;
    if ((family == AF_UNIX) != (kind_ == kind::path) || kind_ == kind::none)
        throw std::invalid_argument("address " + repr() + " does not fit the socket's family " +
                                    std::to_string(family));
    if (kind_ == kind::path) return unix_form(long_->text);

    if (family == AF_INET && kind_ == kind::ipv4) return ipv4_form(ipv4_, port_);
    if (family == AF_INET && long_->text == "<broadcast>")
        return ipv4_form(htonl(INADDR_BROADCAST), port_);
    auto form = with_port(*look_up(host(), family), port_);
    if (form.name.ss_family == AF_INET6) {
        auto& in = reinterpret_cast<sockaddr_in6&>(form.name);
        in.sin6_flowinfo = htonl(flowinfo());
        if (scope_id() != 0) in.sin6_scope_id = scope_id();
    }
    return form;
}

}  // namespace asyncore::platform
