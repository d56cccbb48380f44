// The load generator: load echo|connect|sink PORT [options].  See usage.

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sys/resource.h>

#include "load.hpp"

namespace {

constexpr const char* usage = R"(usage: load CASE PORT [options]

  echo     lines there and back on open connections
  connect  connect, one line there and back, close
  sink     large messages that are swallowed and counted

  --connections N   how many are open (connect: at a time); default 1
  --active A        echo: how many of them talk; default all; repeat for several measurements
  --in-flight K     echo: lines sent ahead of the answer; default 1
  --size B          bytes of a line with its end; default 64
  --bytes M         sink: bytes of a message; default 64 MiB
  --seconds T       how long to measure; default 1
  --warm-up W       seconds before that; default 0.25
  --requests R      measure so many lines, visits or messages rather than seconds
  --pid PID         report the CPU seconds of that process
  --step            echo with --requests: wait for a line on stdin before and after measuring
  --greet           echo: each connection says one line when it is set up
)";

template <class Number>
Number number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        load::die("not a number: " + std::string(text));
    return value;
}

load::options parse(int argc, char** argv) {
    load::options result;
    result.port = number<std::uint16_t>(argv[2]);
    for (int i = 3; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--step") {
            result.step = true;
            continue;
        }
        if (word == "--greet") {
            result.greet = true;
            continue;
        }
        if (i + 1 == argc) load::die(usage);
        const std::string_view value = argv[++i];
        if (word == "--connections") {
            result.connections = number<std::size_t>(value);
        } else if (word == "--active") {
            result.active.push_back(number<std::size_t>(value));
        } else if (word == "--in-flight") {
            result.in_flight = number<std::size_t>(value);
        } else if (word == "--size") {
            result.size = number<std::size_t>(value);
        } else if (word == "--bytes") {
            result.bytes = number<std::uint64_t>(value);
        } else if (word == "--seconds") {
            result.length = load::seconds(number<double>(value));
        } else if (word == "--warm-up") {
            result.warm_up = load::seconds(number<double>(value));
        } else if (word == "--requests") {
            result.requests = number<std::uint64_t>(value);
        } else if (word == "--pid") {
            result.server = number<pid_t>(value);
        } else {
            load::die(usage);
        }
    }
    if (result.active.empty()) result.active.push_back(result.connections);
    for (const auto active : result.active) {
        if (active > result.connections) load::die("more active connections than connections");
    }
    if (result.connections == 0 || result.in_flight == 0 || result.size < 4) load::die(usage);
    return result;
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) load::die_errno("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) load::die_errno("setrlimit");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) load::die(usage);
    const auto options = parse(argc, argv);
    raise_descriptor_limit();
    const std::string_view name = argv[1];
    if (name == "echo") {
        load::run_echo(options);
    } else if (name == "connect") {
        load::run_connect(options);
    } else if (name == "sink") {
        load::run_sink(options);
    } else {
        load::die(usage);
    }
}
