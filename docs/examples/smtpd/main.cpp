// Python: the end of Lib/smtpd.py, `if __name__ == '__main__'`.
//
//     smtpd [-n] [-c CLASS] [-s SIZE] [-u] [-d] [localhost:localport [remotehost:remoteport]]
//     smtpd --hardened ...
//
// The option --hardened is not Python's, so `smtpd --help` does not show it.  Its channels are
// those of hardened_channel.hpp, which mend the faults of the original.
//
// With local port 0 the system picks a free port, and the program prints "PORT n" to standard
// error.
#include <functional>
#include <iostream>
#include <map>
#include <memory>

#include <pwd.h>
#include <unistd.h>

#include "hardened_channel.hpp"
#include "smtpd.hpp"

namespace {

using namespace smtpd;

using maker = std::function<std::unique_ptr<SMTPServer>(
    const address& localaddr, const address& remoteaddr, const keywords& given)>;

template <class Server>
std::unique_ptr<SMTPServer> make(const address& localaddr, const address& remoteaddr,
                                 const keywords& given) {
    return std::make_unique<Server>(localaddr, remoteaddr, given);
}

/// The classes that -c can name.  Python finds any class in any module; add yours here.
const std::map<std::string, maker> classes = {
    {"SMTPServer", make<SMTPServer>},
    {"DebuggingServer", make<DebuggingServer>},
    {"PureProxy", make<PureProxy>},
};

address address_of(const std::string& host, std::int64_t port) {
    // Python's getaddrinfo() refuses an empty name.  In an address it would mean every interface.
    if (host.empty()) throw std::out_of_range("Name or service not known");
    if (port < 0 || port > 65535) throw std::out_of_range("port must be 0-65535.");
    return {host, static_cast<std::uint16_t>(port)};
}

void become_nobody() {
    const passwd* nobody = ::getpwnam("nobody");
    if (!nobody) throw std::out_of_range("getpwnam(): name not found: 'nobody'");
    if (::setuid(nobody->pw_uid) == 0) return;
    if (errno != EPERM) asyncore::platform::throw_errno("setuid");
    py::print(std::cerr, "Cannot setuid \"nobody\"; try running with -n option.");
    throw asyncore::SystemExit{1};
}

/// The maker of the class `name`, which may stand behind "smtpd.".
const maker& maker_of(std::string name) {
    std::string mod = "__main__";
    const auto lastdot = name.rfind('.');
    if (lastdot != name.npos) {
        mod = name.substr(0, lastdot);
        if (mod != "smtpd") throw std::out_of_range("No module named '" + mod + "'");
        name.erase(0, lastdot + 1);
    }
    const auto class_ = classes.find(name);
    if (class_ == classes.end())
        throw py::AttributeError("module '" + mod + "' has no attribute '" + name + "'");
    return class_->second;
}

void run(list argv) {
    const bool is_hardened = std::erase(argv, "--hardened") > 0;
    const auto options = parseargs(argv);
    const auto& class_ = maker_of(options.classname);
    const auto proxy =
        class_(address_of(options.localhost, options.localport),
               address_of(options.remotehost, options.remoteport),
               {.data_size_limit = options.size_limit, .enable_SMTPUTF8 = options.enable_SMTPUTF8});
    if (options.localport == 0)
        std::cerr << "PORT " << proxy->socket.getsockname().port() << std::endl;
    hardened_channels channels;
    if (is_hardened) proxy->channel_class = channels.factory();
    // A client that reads no reply is closed.
    asynchat::async_chat::default_queue_limit_ = 1 << 20;
    if (options.setuid) become_nobody();
    const asyncore::interrupt_on_sigint stoppable;
    try {
        if (is_hardened) channels.loop();
        else asyncore::loop();
    } catch (const asyncore::KeyboardInterrupt&) {
    }
    asyncore::close_all();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run({argv, argv + argc});
        return 0;
    } catch (const asyncore::SystemExit& e) {
        return e.code;
    } catch (const std::exception& e) {
        std::cerr << asyncore::type_name(typeid(e)) << ": " << e.what() << '\n';
        return 1;
    }
}
