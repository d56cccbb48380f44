// Calls the functions of docs/porting/python.hpp: for each line "name argument ...", where an argument is hex, it prints
// the result as check_python.py reads it.
#include "../../docs/porting/python.hpp"

#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>

namespace {

using arguments = py::list;

std::string hex(std::string_view data) {
    constexpr auto digits = "0123456789abcdef";
    std::string out;
    for (const char c : data) {
        const auto byte = static_cast<unsigned char>(c);
        out += {digits[byte >> 4], digits[byte & 15]};
    }
    return out;
}

std::string from_hex(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
    return out;
}

std::string shown(bool value) { return value ? "True" : "False"; }
std::string shown(std::string_view value) { return "'" + hex(value); }
std::string shown(const std::string& value) { return shown(std::string_view(value)); }
std::string shown(long long value) { return std::to_string(value); }
std::string shown(std::size_t value) { return std::to_string(value); }
std::string shown(const py::list& values) {
    std::string out = "[";
    for (const auto& each : values) out += shown(each);
    return out;
}
std::string shown(const py::parts& found) {
    return "[" + shown(found.before) + shown(found.separator) + shown(found.behind);
}

using function = std::function<std::string(const arguments&)>;

function of_one(auto call) {
    return [call](const arguments& a) { return shown(call(a.at(0))); };
}
function of_two(auto call) {
    return [call](const arguments& a) { return shown(call(a.at(0), a.at(1))); };
}
function of_three(auto call) {
    return [call](const arguments& a) { return shown(call(a.at(0), a.at(1), std::stol(a.at(2)))); };
}
using view = std::string_view;

const std::map<std::string, function> functions{
    {"str.isalnum", of_one([](view a) { return py::isalnum(a); })},
    {"str.isdigit", of_one([](view a) { return py::isdigit(a); })},
    {"str.upper", of_one([](view a) { return py::upper(a); })},
    {"str.lower", of_one([](view a) { return py::lower(a); })},
    {"str.lstrip", of_one([](view a) { return py::lstrip(a); })},
    {"str.rstrip", of_one([](view a) { return py::rstrip(a); })},
    {"str.strip", of_one([](view a) { return py::strip(a); })},
    {"str.split", of_one([](view a) { return py::split(a); })},
    {"str.splitlines", of_one([](view a) { return py::splitlines_of_str(a); })},
    {"str.int", of_one([](view a) { return py::to_int(a); })},
    {"str.repr", of_one([](view a) { return py::repr_of(a, false); })},
    {"str.ascii", of_one([](view a) { return py::encode_ascii(a); })},
    {"bytes.decode", of_one([](const std::string& a) { return py::decode_utf8(a); })},
    {"bytes.latin1", of_one([](view a) { return py::decode_latin1(a); })},
    {"bytes.isspace", of_one([](view a) { return py::bytes::isspace(a); })},
    {"bytes.isalnum", of_one([](view a) { return py::bytes::isalnum(a); })},
    {"bytes.isdigit", of_one([](view a) { return py::bytes::isdigit(a); })},
    {"bytes.upper", of_one([](view a) { return py::bytes::upper(a); })},
    {"bytes.lower", of_one([](view a) { return py::bytes::lower(a); })},
    {"bytes.lstrip", of_one([](view a) { return py::bytes::lstrip(a); })},
    {"bytes.rstrip", of_one([](view a) { return py::bytes::rstrip(a); })},
    {"bytes.strip", of_one([](view a) { return py::bytes::strip(a); })},
    {"bytes.split", of_one([](view a) { return py::bytes::split(a); })},
    {"bytes.splitlines", of_one([](view a) { return py::splitlines_of_bytes(a); })},
    {"bytes.repr", of_one([](view a) { return py::repr_of(a, true); })},
    {"lstrip", of_two([](view a, view b) { return py::lstrip(a, b); })},
    {"rstrip", of_two([](view a, view b) { return py::rstrip(a, b); })},
    {"strip", of_two([](view a, view b) { return py::strip(a, b); })},
    {"partition", of_two([](view a, view b) { return py::partition(a, b); })},
    {"rpartition", of_two([](view a, view b) { return py::rpartition(a, b); })},
    {"count", of_two([](view a, view b) { return py::count(a, b); })},
    {"split", of_three([](view a, view b, long most) { return py::split(a, b, most); })},
    {"rsplit", of_three([](view a, view b, long most) { return py::rsplit(a, b, most); })},
    {"replace", [](const arguments& a) { return shown(py::replace(a.at(0), a.at(1), a.at(2))); }},
    {"join",
     [](const arguments& a) {
         return shown(py::join(a.at(0), {a.begin() + 1, a.end()}));
     }},
    {"slice",
     [](const arguments& a) {
         const auto end = a.at(2).empty() ? std::nullopt : std::optional(std::stol(a.at(2)));
         return shown(py::slice(a.at(0), std::stol(a.at(1)), end));
     }},
    {"list.repr",
     [](const arguments& a) {
         return shown(py::repr_of(py::list(a.begin() + 1, a.end()), a.at(0) == "b"));
     }},
    {"float.repr",
     of_one([](const std::string& a) { return py::repr_of(std::strtod(a.c_str(), nullptr)); })},
    {"address.repr",
     [](const arguments& a) {
         const auto port = static_cast<std::uint16_t>(std::stoi(a.at(1)));
         return shown(py::repr_of(py::address(a.at(0), port), false));
     }},
    {"getfqdn", of_one([](const std::string& a) { return py::getfqdn(a); })},
    {"asctime", of_one([](const std::string& a) { return py::asctime(py::gmtime(std::stol(a))); })},
    {"ctime",
     of_one([](const std::string& a) { return py::asctime(py::localtime(std::stol(a))); })},
    {"formatdate", of_one([](const std::string& a) { return py::formatdate(std::stol(a)); })},
    {"http_date", of_one([](const std::string& a) { return py::http_date(std::stol(a)); })},
    {"strftime", of_two([](const std::string& a, const std::string& b) {
         return py::strftime(b.c_str(), py::gmtime(std::stol(a)));
     })},
};

std::string answer(const std::string& line) {
    std::istringstream words(line);
    std::string name, word;
    words >> name;
    arguments given;
    while (words >> word) given.push_back(from_hex(word.substr(1)));
    try {
        return functions.at(name)(given);
    } catch (const py::UnicodeError&) {
        return "UnicodeError";
    } catch (const std::invalid_argument&) {
        return "ValueError";
    }
}

}  // namespace

int main(int argc, char**) {
    if (argc > 1) {
        for (const auto& each : functions) std::cout << each.first << '\n';
        return 0;
    }
    std::string line;
    while (std::getline(std::cin, line)) std::cout << answer(line) << '\n';
}
