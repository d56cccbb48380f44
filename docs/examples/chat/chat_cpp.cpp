// The extension module chat_cpp: the classes of chat.hpp, for Python.
#include "chat.hpp"

#include <asyncore/python/exported.hpp>

using namespace asyncore;
using asyncore::python::argument;
using asyncore::python::object;

ASYNCORE_PYTHON_MODULE(chat_cpp, module) {
    module.add<chat::ChatServer>("ChatServer")
        .constructor<address, object, channel_map*>("address", "session_class",
                                                    argument("map", nullptr))
        .attribute<&chat::ChatServer::session_class>("session_class")
        .attribute<&chat::ChatServer::sessions>("sessions")
        .attribute<&chat::ChatServer::lines>("lines")
        .method<&chat::ChatServer::join>("join")
        .method<&chat::ChatServer::leave>("leave")
        .method<&chat::ChatServer::broadcast>("broadcast")
        .method<&chat::ChatServer::names>("names");
    module.add<chat::ChatSession>("ChatSession")
        .constructor<object, socket_t, channel_map*>("server", "sock", argument("map", nullptr))
        .attribute<&chat::ChatSession::server>("server")
        .attribute<&chat::ChatSession::name>("name")
        .method<&chat::ChatSession::reply>("reply");
    module.add<chat::StatusPort>("StatusPort")
        .constructor<object, address, channel_map*>("server", "address", argument("map", nullptr))
        .attribute<&chat::StatusPort::server>("server");
}
