// Python: Lib/smtpd.py of 3.11, what is not a class: its names, usage() and parseargs().
#include "smtpd.hpp"

#include <iostream>

namespace smtpd {

using py::print;

std::string program = "smtpd";
std::ostream Devnull(nullptr);
std::ostream* DEBUGSTREAM = &Devnull;

namespace {

constexpr std::string_view doc_head =
    R"(An RFC 5321 smtp proxy with optional RFC 1870 and RFC 6531 extensions.

Usage: )";

constexpr std::string_view doc_options =
    R"( [options] [localhost:localport [remotehost:remoteport]]

Options:

    --nosetuid
    -n
        This program generally tries to setuid `nobody', unless this flag is
        set.  The setuid call will fail if this program is not run as root (in
        which case, use this flag).

    --version
    -V
        Print the version number and exit.

    --class classname
    -c classname
        Use `classname' as the concrete SMTP proxy class.  Uses `PureProxy' by
        default.

    --size limit
    -s limit
        Restrict the total size of the incoming message to "limit" number of
        bytes via the RFC 1870 SIZE extension.  Defaults to 33554432 bytes.

    --smtputf8
    -u
        Enable the SMTPUTF8 extension and behave as an RFC 6531 smtp proxy.

    --debug
    -d
        Turn on debugging prints.

    --help
    -h
        Print this message and exit.

Version: )";

constexpr std::string_view doc_tail = R"(

If localhost is not given then `localhost' is used, and if localport is not
given then 8025 is used.  If remotehost is not given then `localhost' is used,
and if remoteport is not given, then 25 is used.
)";

}  // namespace

void usage(int code, const std::string& msg) {
    std::cerr << doc_head << program << doc_options << version << doc_tail << '\n';
    if (!msg.empty()) print(std::cerr, msg);
    throw asyncore::SystemExit{code};
}

namespace {

using option_list = std::vector<std::pair<std::string, std::string>>;

std::pair<option_list, list> options_and_arguments(const list& argv) {
    try {
        return py::getopt({argv.begin() + 1, argv.end()}, "nVhc:s:du",
                          {"class=", "nosetuid", "version", "help", "size=", "debug", "smtputf8"});
    } catch (const py::getopt_error& e) {
        usage(1, e.what());
    }
}

std::int64_t size_of(const std::string& arg) {
    try {
        return py::to_int(arg);
    } catch (const std::invalid_argument&) {
        print(std::cerr, "Invalid size:", arg);
        throw asyncore::SystemExit{1};
    }
}

void set_option(Options& options, std::string_view opt, const std::string& arg) {
    if (opt == "-h" || opt == "--help") usage(0);
    if (opt == "-V" || opt == "--version") {
        print(std::cout, version);
        throw asyncore::SystemExit{0};
    }
    if (opt == "-n" || opt == "--nosetuid") options.setuid = false;
    else if (opt == "-c" || opt == "--class") options.classname = arg;
    else if (opt == "-d" || opt == "--debug") DEBUGSTREAM = &std::cerr;
    else if (opt == "-u" || opt == "--smtputf8") options.enable_SMTPUTF8 = true;
    else if (opt == "-s" || opt == "--size") options.size_limit = size_of(arg);
}

/// Splits "host:port".  `which` is for the message: "local" or "remote".
std::pair<std::string, std::int64_t> host_and_port(const std::string& spec,
                                                   const std::string& which) {
    const auto i = spec.find(':');
    if (i == spec.npos) usage(1, "Bad " + which + " spec: " + spec);
    try {
        return {spec.substr(0, i), py::to_int(spec.substr(i + 1))};
    } catch (const std::invalid_argument&) {
        usage(1, "Bad " + which + " port: " + spec);
    }
}

}  // namespace

Options parseargs(const list& argv) {
    program = argv[0];
    const auto [opts, args] = options_and_arguments(argv);
    Options options;
    for (const auto& [opt, arg] : opts) set_option(options, opt, arg);
    if (args.size() > 2) usage(1, "Invalid arguments: " + py::join(COMMASPACE, args));
    const auto localspec = !args.empty() ? args[0] : "localhost:8025";
    const auto remotespec = args.size() > 1 ? args[1] : "localhost:25";
    std::tie(options.localhost, options.localport) = host_and_port(localspec, "local");
    std::tie(options.remotehost, options.remoteport) = host_and_port(remotespec, "remote");
    return options;
}

}  // namespace smtpd
