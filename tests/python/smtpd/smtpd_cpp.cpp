// The port of smtpd in docs/examples/smtpd as an extension module: its SMTPChannel and its servers stand in the place
// of Python's, one at a time.
//
// The classes of the port know nothing of Python.  A class here derives from one of them, and has what only a
// class seen from Python needs: the objects of Python that it was given, and attributes of Python's types.
#include <asyncore/python/exported.hpp>

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "smtpd.hpp"

namespace python = asyncore::python;
using asyncore::address;
using asyncore::channel_map;
using python::object;
using smtpd::list;

namespace {

class ported_channel;

/// The server of a ported_channel, as the port sees it.  It passes each message on to the object of Python.
class passing_server final : public smtpd::SMTPServer {
public:
    explicit passing_server(ported_channel& of) : of_(of) {}
    std::string process_message(const address& peer, const std::string& mailfrom,
                                const list& rcpttos, const std::string& data,
                                const smtpd::options& kwargs) override;

private:
    ported_channel& of_;
};

/// What a channel must have before its base class is made.
struct given_to_channel {
    given_to_channel(object its_server, object its_conn, ported_channel& of)
        : server(std::move(its_server)), conn(std::move(its_conn)), passing(of) {}

    object server, conn;
    passing_server passing;
};

object text_or_bytes(const std::string& data, bool is_text) {
    return is_text ? python::to_object(data) : python::to_object(python::bytes{data});
}

class ported_channel : public given_to_channel, public smtpd::SMTPChannel {
public:
    ported_channel(object its_server, object its_conn, const address& from,
                   const std::optional<std::int64_t>& limit, channel_map* map, bool enable_utf8,
                   bool decode_data)
        : given_to_channel(std::move(its_server), std::move(its_conn), *this),
          SMTPChannel(passing,
                      python::from_object<asyncore::socket_t>(given_to_channel::conn.get()), from,
                      {limit.value_or(0), map, enable_utf8, decode_data}) {
        if (SMTPChannel::peer) peer = python::call_method(given_to_channel::conn, "getpeername");
    }

    // The attributes whose type in Python is another one.  A peer may be any object.

    using given_to_channel::conn;
    object peer;
    std::optional<std::int64_t> size_limit() const {
        return data_size_limit ? std::optional(data_size_limit) : std::nullopt;
    }
    void set_size_limit(std::optional<std::int64_t> limit) { data_size_limit = limit.value_or(0); }
    std::optional<std::string> sender() const {
        return mailfrom.empty() ? std::nullopt : std::optional(mailfrom);
    }
    void set_sender(const std::optional<std::string>& sender) { mailfrom = sender.value_or(""); }
    object data() const {
        return text_or_bytes(received_data, _decode_data || received_data.empty());
    }
    void set_data(const std::string& data) { received_data = data; }
    std::vector<object> lines() const {
        std::vector<object> all;
        for (const auto& line : received_lines) all.push_back(text_or_bytes(line, _decode_data));
        return all;
    }
    void set_lines(const list& lines) { received_lines = lines; }
    std::map<std::string, std::int64_t> limits() const {
        return {limits_->begin(), limits_->end()};
    }

    // The methods that a class of Python may override.

    void push(std::string_view message) override {
        const auto its = python::override_of(*this, "push");
        if (its) python::call(its, message);
        else SMTPChannel::push(message);
    }
    method getattr(std::string_view command) const override {
        const auto name = "smtp_" + std::string(command);
        const bool is_name = name.find('\0') == name.npos;
        if (is_name) overriding_ = python::override_of(*this, name.c_str());
        if (overriding_) return static_cast<method>(&ported_channel::call_overriding);
        return SMTPChannel::getattr(command);
    }

private:
    /// Stands for a method of Python among the methods of C++.
    void call_overriding(const smtpd::argument& arg) {
        python::call(std::exchange(overriding_, {}), arg);
    }

    mutable object overriding_;  // the method that getattr() found
};

std::string passing_server::process_message(const address&, const std::string& mailfrom,
                                            const list& rcpttos, const std::string& data,
                                            const smtpd::options& kwargs) {
    std::map<std::string, list> keywords;
    if (!of_._decode_data)
        keywords = {{"mail_options", kwargs.mail_options}, {"rcpt_options", kwargs.rcpt_options}};
    const auto method = python::get(of_.server, "process_message");
    const auto status = python::call_with(python::to_object(keywords).get(), method.get(), of_.peer,
                                          mailfrom, rcpttos, text_or_bytes(data, of_._decode_data));
    return python::bool_from(status.get()) ? python::text_from(status.get()) : "";
}

/// A server of the port, which makes channels of the class that its attribute channel_class names.
template <class Server>
class ported_server : public Server {
public:
    ported_server(const address& localaddr, const address& remoteaddr,
                  const std::optional<std::int64_t>& limit, channel_map* map, bool enable_utf8,
                  bool decode_data)
        : Server(localaddr, remoteaddr, {limit.value_or(0), map, enable_utf8, decode_data}) {
        this->channel_class = [this](smtpd::SMTPServer&, asyncore::socket_t conn,
                                     const address& from, const smtpd::keywords& given) {
            python::call_method(python::wrapper_of(*this), "channel_class",
                                python::wrapper_of(*this), std::move(conn), from,
                                size_limit_of(given), given.map, given.enable_SMTPUTF8,
                                given.decode_data);
        };
    }

    std::optional<std::int64_t> size_limit() const {
        return size_limit_of({this->data_size_limit});
    }
    void set_size_limit(std::optional<std::int64_t> limit) {
        this->data_size_limit = limit.value_or(0);
    }

    /// Only the host and the port of a peer get to C++.
    std::optional<std::string> take_message(const address& peer,
                                            const std::optional<std::string>& mailfrom,
                                            const list& rcpttos, const std::string& data,
                                            const list& mail_options, const list& rcpt_options) {
        const auto status = this->process_message(peer, mailfrom.value_or(""), rcpttos, data,
                                                  {mail_options, rcpt_options});
        return status.empty() ? std::nullopt : std::optional(status);
    }

private:
    static std::optional<std::int64_t> size_limit_of(const smtpd::keywords& given) {
        return given.data_size_limit ? std::optional(given.data_size_limit) : std::nullopt;
    }
};

using python::argument;
using size_limit = std::optional<std::int64_t>;

python::exported_class<ported_channel> add_channel(python::module_builder& module) {
    using T = ported_channel;
    return module.add<T>("SMTPChannel")
        .constructor<object, object, address, size_limit, channel_map*, bool, bool>(
            "server", "conn", "addr", argument("data_size_limit", smtpd::DATA_SIZE_DEFAULT),
            argument("map", nullptr), argument("enable_SMTPUTF8", false),
            argument("decode_data", false))
        .class_attribute("COMMAND", T::COMMAND)
        .class_attribute("DATA", T::DATA)
        .attribute<&T::command_size_limit>("command_size_limit")
        .property<&T::limits>("command_size_limits")
        .property<&T::max_command_size_limit>("max_command_size_limit")
        .attribute<&T::server>("smtp_server")
        .attribute<&T::conn>("conn")
        .attribute<&T::peer>("peer")
        .property<&T::size_limit, &T::set_size_limit>("data_size_limit")
        .attribute<&T::enable_SMTPUTF8>("enable_SMTPUTF8")
        .attribute<&T::_decode_data>("_decode_data")
        .attribute<&T::smtp_state>("smtp_state")
        .property<&T::sender, &T::set_sender>("mailfrom")
        .attribute<&T::rcpttos>("rcpttos")
        .attribute<&T::mail_options>("mail_options")
        .attribute<&T::rcpt_options>("rcpt_options")
        .attribute<&T::require_SMTPUTF8>("require_SMTPUTF8")
        .attribute<&T::num_bytes>("num_bytes")
        .property<&T::data, &T::set_data>("received_data")
        .property<&T::lines, &T::set_lines>("received_lines")
        .attribute<&T::seen_greeting>("seen_greeting")
        .attribute<&T::extended_smtp>("extended_smtp")
        .attribute<&T::fqdn>("fqdn");
}

/// Python: the properties for backwards-compatibility, whose names begin with two underscores in the class.
void add_deprecated_names(python::exported_class<ported_channel> made) {
    made.deprecated("_SMTPChannel__server", "smtp_server")
        .deprecated("_SMTPChannel__line", "received_lines")
        .deprecated("_SMTPChannel__state", "smtp_state")
        .deprecated("_SMTPChannel__greeting", "seen_greeting")
        .deprecated("_SMTPChannel__mailfrom", "mailfrom")
        .deprecated("_SMTPChannel__rcpttos", "rcpttos")
        .deprecated("_SMTPChannel__data", "received_data")
        .deprecated("_SMTPChannel__fqdn", "fqdn")
        .deprecated("_SMTPChannel__peer", "peer")
        .deprecated("_SMTPChannel__conn", "conn")
        .deprecated("_SMTPChannel__addr", "addr");
}

void add_commands(python::exported_class<ported_channel> made) {
    using T = smtpd::SMTPChannel;
    made.hook<&ported_channel::push>("push", "msg")
        .method<&T::smtp_HELO>("smtp_HELO", "arg")
        .method<&T::smtp_EHLO>("smtp_EHLO", "arg")
        .method<&T::smtp_NOOP>("smtp_NOOP", "arg")
        .method<&T::smtp_QUIT>("smtp_QUIT", "arg")
        .method<&T::smtp_HELP>("smtp_HELP", "arg")
        .method<&T::smtp_VRFY>("smtp_VRFY", "arg")
        .method<&T::smtp_MAIL>("smtp_MAIL", "arg")
        .method<&T::smtp_RCPT>("smtp_RCPT", "arg")
        .method<&T::smtp_RSET>("smtp_RSET", "arg")
        .method<&T::smtp_DATA>("smtp_DATA", "arg")
        .method<&T::smtp_EXPN>("smtp_EXPN", "arg");
}

template <class Server>
void add_server(python::module_builder& module, const char* name,
                const python::exported_class<ported_channel>& channel_class) {
    using T = ported_server<Server>;
    module.add<T>(name)
        .template constructor<address, address, size_limit, channel_map*, bool, bool>(
            "localaddr", "remoteaddr", argument("data_size_limit", smtpd::DATA_SIZE_DEFAULT),
            argument("map", nullptr), argument("enable_SMTPUTF8", false),
            argument("decode_data", false))
        .class_attribute("channel_class", channel_class)
        .template attribute<&T::_localaddr>("_localaddr")
        .template attribute<&T::_remoteaddr>("_remoteaddr")
        .template property<&T::size_limit, &T::set_size_limit>("data_size_limit")
        .template attribute<&T::enable_SMTPUTF8>("enable_SMTPUTF8")
        .template attribute<&T::_decode_data>("_decode_data")
        .template method<&T::take_message>("process_message", "peer", "mailfrom", "rcpttos", "data",
                                           argument("mail_options", list()),
                                           argument("rcpt_options", list()));
}

}  // namespace

ASYNCORE_PYTHON_MODULE(smtpd_cpp, module) {
    module.exception<py::UnicodeError>(PyExc_UnicodeError);
    module.exception<py::AttributeError>(PyExc_AttributeError);
    const auto channel_class = add_channel(module);
    add_deprecated_names(channel_class);
    add_commands(channel_class);
    add_server<smtpd::SMTPServer>(module, "SMTPServer", channel_class);
    add_server<smtpd::DebuggingServer>(module, "DebuggingServer", channel_class);
}
