// Addresses: those of sockets, and those of mail, which the port of smtpd in docs/examples reads.
#include <asyncore/platform/address.hpp>

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "addr_spec.hpp"
#include "fuzz.hpp"
#include "python.hpp"

namespace {

using asyncore::platform::address;
using fuzz::check_same;
using fuzz::fail;

std::string rest_of(fuzz::decisions& input) {
    std::string text;
    while (input.left()) text += static_cast<char>(input.next());
    return text;
}

/// A number out of four bytes.
std::uint32_t number(fuzz::decisions& input) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | input.next();
    return value;
}

// ---------------------------------------------------------------------------
// Addresses of sockets.
// ---------------------------------------------------------------------------

/// What holds for every address.
void check_any(const address& given) {
    const address copy = given;
    check_same("copy", given.repr(), copy.repr());
    if (!(copy == given)) fail("a copy is not equal");
    // A host is shown as it is, like Python's str(); a path is quoted.
    if (given.is_unix())
        for (const char c : given.repr())
            if (static_cast<unsigned char>(c) < 32 || c == 127) fail("repr: " + given.repr());
}

/// An address that the kernel can have comes back from it as it was.
void check_round_trip(const address& given, int family) {
    check_any(given);
    address::kernel_form form;
    try {
        form = given.resolve(family);
    } catch (const std::invalid_argument&) {
        return;
    } catch (const std::system_error&) {
        return;
    }
    if (form.length > sizeof form.name) fail("the form is too long");
    const address back(reinterpret_cast<const sockaddr*>(&form.name), form.length);
    check_any(back);
    if (family == AF_UNIX) {
        const auto path = given.path();
        const bool abstract = path.starts_with('\0');
        check_same("path", abstract ? path : path.substr(0, path.find('\0')), back.path());
        return;
    }
    if (back.port() != given.port()) fail("port of " + given.repr() + ": " + back.repr());
    if (back.flowinfo() != given.flowinfo() && family == AF_INET6) fail("flowinfo " + back.repr());
    if (back.scope_id() != given.scope_id() && family == AF_INET6) fail("scope_id " + back.repr());
    unsigned char theirs[16] = {}, ours[16] = {};
    ::inet_pton(family, given.host().c_str(), theirs);
    ::inet_pton(family, back.host().c_str(), ours);
    if (std::memcmp(theirs, ours, sizeof ours) != 0) fail("host " + back.repr());
}

/// Whether the host is digits, so that no name server is asked for it.
bool is_numeric(int family, const std::string& host) {
    unsigned char bytes[16];
    return host.find('\0') == host.npos && ::inet_pton(family, host.c_str(), bytes) == 1;
}

void check_host(fuzz::decisions input) {
    const auto port = static_cast<std::uint16_t>(number(input));
    const auto flowinfo = number(input), scope_id = number(input);
    const auto host = rest_of(input);
    const address pair(host, port), four(host, port, flowinfo, scope_id);
    check_any(pair);
    check_any(four);
    if (!is_numeric(AF_INET, host)) check_same("host", host, pair.host());
    check_same("host", host, four.host());
    if (is_numeric(AF_INET, host)) check_round_trip(pair, AF_INET);
    if (!is_numeric(AF_INET6, host)) return;
    check_round_trip(pair, AF_INET6);
    check_round_trip(four, AF_INET6);
}

/// What a kernel gives: any bytes, and any length.
void check_bytes(fuzz::decisions input) {
    sockaddr_storage name{};
    auto bytes = rest_of(input);
    bytes.resize(std::min(bytes.size(), sizeof(sockaddr_un)));
    std::memcpy(&name, bytes.data(), bytes.size());
    constexpr int families[] = {AF_INET, AF_INET6, AF_UNIX};
    name.ss_family = static_cast<sa_family_t>(families[name.ss_family % 3]);
    const address got(reinterpret_cast<const sockaddr*>(&name),
                      static_cast<socklen_t>(std::max(bytes.size(), sizeof(sa_family_t))));
    check_round_trip(got, name.ss_family);
}

// ---------------------------------------------------------------------------
// Addresses of mail.
// ---------------------------------------------------------------------------

struct reading {
    std::string outcome;  // "read", or what was thrown
    std::string address, rest;
};

reading read_with(std::pair<std::string, std::string> (*get)(std::string_view),
                  const std::string& text) {
    try {
        auto [found, rest] = get(text);
        return {"read", std::move(found), std::move(rest)};
    } catch (const addr_spec::HeaderParseError&) {
        return {"HeaderParseError", "", ""};
    } catch (const py::RecursionError&) {
        return {"RecursionError", "", ""};
    } catch (const std::logic_error&) {  // std::out_of_range too
        return {"logic_error", "", ""};
    }
}

/// Whether a text is letters, digits and signs that need no quotes, on both sides of an @.
bool is_plain(const std::string& text) {
    const auto at = text.find('@');
    const auto is_dot_atom = [](std::string_view part) {
        return !part.empty() && !part.starts_with('.') && !part.ends_with('.') &&
               part.find("..") == part.npos &&
               part.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-+_.") == part.npos;
    };
    return at != text.npos && is_dot_atom(std::string_view(text).substr(0, at)) &&
           is_dot_atom(std::string_view(text).substr(at + 1));
}

/// A byte of 1 stands for 300 opening brackets, and a byte of 2 for 300 closing brackets: so an input
/// of a few bytes is nested deeply.  test_addresses.py has the same rule.
std::string nested(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == 1) result.append(300, '(');
        else if (c == 2) result.append(300, ')');
        else result += c;
    }
    return result;
}

void check_mail(fuzz::decisions input) {
    const auto text = nested(rest_of(input));
    const auto plain = read_with(addr_spec::get_addr_spec, text);
    const auto angle = read_with(addr_spec::get_angle_addr, text);
    for (const auto& each : {plain, angle}) {
        // Quoting may put a backslash before each byte, once or twice.
        if (each.address.size() > 8 * text.size() + 8) fail("the address is longer than the text");
        if (each.rest.size() > 2 * text.size() + 8) fail("the rest is longer than the text");
    }
    // What needs no quotes is read as it is, in both forms.
    if (!is_plain(plain.address)) return;
    const auto& found = plain.address;
    const auto again = read_with(addr_spec::get_addr_spec, found);
    check_same("read again", found + "|", again.address + "|" + again.rest);
    const auto in_angle = read_with(addr_spec::get_angle_addr, "<" + found + "> more");
    check_same("in angle brackets", found + "|more", in_angle.address + "|" + in_angle.rest);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::decisions input(data, size);
    switch (input.next() % 4) {
    case 0:
        check_mail(input);
        break;
    case 1:
        check_host(input);
        break;
    case 2:
        check_bytes(input);
        break;
    default:
        check_round_trip(address(rest_of(input)), AF_UNIX);
    }
    return 0;
}
