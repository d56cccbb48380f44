// Python: the end of Lib/smtpd.py, `if __name__ == '__main__'`.
//
//     smtpd [-n] [-c CLASS] [-s SIZE] [-u] [-d] [localhost:localport [remotehost:remoteport]]
//
// With local port 0 the system picks one, and "PORT n" goes to standard error.
#include <functional>
#include <iostream>
#include <map>
#include <memory>

#include <pwd.h>
#include <unistd.h>

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

/// What -c can name.  Python finds any class in any module; add yours here.
const std::map<std::string, maker> classes = {
    {"SMTPServer", make<SMTPServer>},
    {"DebuggingServer", make<DebuggingServer>},
    {"PureProxy", make<PureProxy>},
};

address address_of(const std::string& host, std::int64_t port) {
    // Python's getaddrinfo() knows no empty name; here it would be every interface.
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

void run(const list& argv) {
    const auto options = parseargs(argv);
    auto classname = options.classname;
    std::string mod = "__main__";
    if (const auto lastdot = classname.rfind('.'); lastdot != classname.npos) {
        mod = classname.substr(0, lastdot);
        if (mod != "smtpd") throw std::out_of_range("No module named '" + mod + "'");
        classname.erase(0, lastdot + 1);
    }
    const auto class_ = classes.find(classname);
    if (class_ == classes.end())
        throw py::AttributeError("module '" + mod + "' has no attribute '" + classname + "'");
    const auto proxy = class_->second(
        address_of(options.localhost, options.localport),
        address_of(options.remotehost, options.remoteport),
        {.data_size_limit = options.size_limit, .enable_SMTPUTF8 = options.enable_SMTPUTF8});
    if (options.localport == 0)
        std::cerr << "PORT " << proxy->socket.getsockname().port() << std::endl;
    if (options.setuid) become_nobody();
    const asyncore::interrupt_on_sigint stoppable;
    try {
        asyncore::loop();
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
