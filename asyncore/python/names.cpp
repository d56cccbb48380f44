#include <asyncore/python/names.hpp>

namespace asyncore::python::names {

PyObject *accepting, *asked_every_turn_, *close, *connected, *connecting, *family_and_type,
    *_fileno, *_map, *readable, *socket, *writable;
PyObject* fileno;
PyObject *ExitNow, *_exception, *read, *readwrite, *_refused_, *write;

bool make() {
    const struct {
        PyObject*& name;
        const char* text;
    } all[] = {
        {accepting, "accepting"},
        {asked_every_turn_, "asked_every_turn_"},
        {close, "close"},
        {connected, "connected"},
        {connecting, "connecting"},
        {family_and_type, "family_and_type"},
        {_fileno, "_fileno"},
        {_map, "_map"},
        {readable, "readable"},
        {socket, "socket"},
        {writable, "writable"},
        {fileno, "fileno"},
        {ExitNow, "ExitNow"},
        {_exception, "_exception"},
        {read, "read"},
        {readwrite, "readwrite"},
        {_refused_, "_refused_"},
        {write, "write"},
    };
    for (const auto& each : all) {
        if (!each.name) each.name = PyUnicode_InternFromString(each.text);
        if (!each.name) return false;
    }
    return true;
}

}  // namespace asyncore::python::names
