// How FTP writes and reads text.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ftp {

/// Changes ASCII letters only, whatever the locale is.
std::string upper(std::string_view text);
std::string lower(std::string_view text);

std::vector<std::string_view> split(std::string_view text, char separator);

/// The number that `text` is in decimal digits, and in nothing else.
/// Returns: nothing if it is no such number, or is larger than `most`.
std::optional<std::uint64_t> to_number(std::string_view text, std::uint64_t most = INT64_MAX);

/// `name` with a '?' for each control character: the form in which a name may stand in a line of a
/// reply, of a listing or of the log.  A name may have a line feed in it, and would forge a line.
std::string shown(std::string_view name);
/// The form of a name in a 257 reply: in quotation marks, with its own quotation marks doubled.
std::string quoted(std::string_view name);

/// "YYYYMMDDHHMMSS" in UTC, as RFC 3659 has it.
std::string time_value(std::time_t when);
/// Returns: nothing if `text` is not such a time.
std::optional<std::time_t> to_time(std::string_view text);

/// Takes the commands of Telnet out of a line (RFC 854): the control connection of FTP is one of
/// Telnet.  IAC IAC is the byte 0xff; "\r\0" is the byte "\r"; other commands, such as the IP and
/// DM that come before an urgent ABOR, are dropped.  A byte 0xff that begins no command of Telnet
/// stays, because many clients send names as they are.
std::string without_telnet(std::string_view line);
/// Doubles each byte 0xff.
std::string with_telnet(std::string_view line);

}  // namespace ftp
