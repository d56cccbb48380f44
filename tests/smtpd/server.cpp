// The port as a server under test; server.py is the same on CPython's smtpd.
//
//     server CLASS [decode] [utf8] [debug] [size=BYTES] [remote=PORT] [timeout=SECONDS]
//            [hardened] [patience=SECONDS]
//
// CLASS is Recorder, DebuggingServer or PureProxy; with `hardened`, its channels are those of
// hardened_channel.hpp, and a Recorder refuses no recipient.  It listens on a free port, which it
// prints to standard error, until SIGINT.
#include <cstdlib>
#include <iostream>
#include <memory>

#include "hardened_channel.hpp"
#include "smtpd.hpp"

namespace {

using namespace smtpd;

/// Refuses a recipient that has "nobody" in the address.
class Picky : public SMTPChannel {
public:
    using SMTPChannel::SMTPChannel;

    void smtp_RCPT(const argument& arg) override {
        if (arg && arg->find("nobody") != arg->npos) return push("550 no such user");
        SMTPChannel::smtp_RCPT(arg);
    }
};

/// Writes each message as it came: a line about it with its size, its bytes, a newline.
class Recorder : public SMTPServer {
public:
    Recorder(const address& localaddr, const address& remoteaddr, const keywords& given) {
        channel_class = make_channel<Picky>;
        init(localaddr, remoteaddr, given);
    }

    std::string process_message(const address&, const std::string& mailfrom, const list& rcpttos,
                                const std::string& data, const options& kwargs) override {
        py::print(std::cout, "from", py::repr(mailfrom), "to", py::repr(rcpttos), "options",
                  py::repr(kwargs.mail_options), py::repr(kwargs.rcpt_options), data.size());
        std::cout << data << std::endl;
        return mailfrom.starts_with("unwelcome") ? "554 not from you" : "";
    }
};

std::unique_ptr<SMTPServer> make_proxy(const address& here, const address& there, double timeout,
                                       const keywords& given) {
    auto proxy = std::make_unique<PureProxy>(here, there, given);
    if (timeout > 0) proxy->timeout = timeout;
    return proxy;
}

std::unique_ptr<SMTPServer> make(const std::string& name, std::uint16_t remote, double timeout,
                                 const keywords& given) {
    const address here("127.0.0.1", 0), there("127.0.0.1", remote);
    if (name == "DebuggingServer") return std::make_unique<DebuggingServer>(here, there, given);
    if (name == "PureProxy") return make_proxy(here, there, timeout, given);
    return std::make_unique<Recorder>(here, there, given);
}

}  // namespace

int main(int argc, char** argv) {
    keywords given;
    std::uint16_t remote = 1;
    double timeout = 0;
    bool is_hardened = false;
    hardened_channels channels;
    for (const std::string& word : list(argv + 2, argv + argc)) {
        const auto value = word.substr(word.find('=') + 1);
        if (word == "decode") given.decode_data = true;
        if (word == "utf8") given.enable_SMTPUTF8 = true;
        if (word == "debug") DEBUGSTREAM = &std::cerr;
        if (word.starts_with("size=")) given.data_size_limit = std::atoll(value.c_str());
        if (word.starts_with("remote=")) remote = static_cast<std::uint16_t>(py::to_int(value));
        if (word == "hardened") is_hardened = true;
        if (word.starts_with("patience="))
            channels.patience = std::chrono::seconds(std::atoi(value.c_str()));
        if (word.starts_with("timeout=")) timeout = std::atof(value.c_str());
    }
    const auto server = make(argv[1], remote, timeout, given);
    if (is_hardened) server->channel_class = channels.factory();
    std::cerr << "PORT " << server->socket.getsockname().port() << std::endl;
    const asyncore::interrupt_on_sigint stoppable;
    try {
        if (is_hardened) channels.loop();
        else asyncore::loop();
    } catch (const asyncore::KeyboardInterrupt&) {
    }
    asyncore::close_all();
}
