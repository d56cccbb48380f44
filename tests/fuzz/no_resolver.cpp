// In place of the port's own: a fuzz target asks no name server.
#include "python.hpp"

std::string py::getfqdn() { return "fuzz.example"; }
