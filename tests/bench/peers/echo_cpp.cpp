// The extension module echo_cpp: the class Echo of asynchat_server.py, for Python.
#include <asynchat/asynchat.hpp>
#include <asyncore/python/exported.hpp>

using namespace asyncore;
using asyncore::python::argument;

namespace {

class Echo : public asynchat::async_chat {
public:
    explicit Echo(socket_t sock, channel_map* map) : async_chat(std::move(sock), map) {
        set_terminator("\r\n");
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override {
        incoming += "\r\n";
        push(incoming);
        incoming.clear();
    }
};

}  // namespace

ASYNCORE_PYTHON_MODULE(echo_cpp, module) {
    module.add<Echo>("Echo").constructor<socket_t, channel_map*>("sock", argument("map", nullptr));
}
