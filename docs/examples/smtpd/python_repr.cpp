// repr() of a dict.
#include "python.hpp"

namespace py {

std::string repr_of(const std::map<std::string, std::pair<int, std::string>>& refused) {
    list parts;
    for (const auto& [recipient, why] : refused)
        parts.push_back(repr_of(recipient, false) + ": (" + std::to_string(why.first) + ", " +
                        repr_of(why.second, true) + ")");
    return "{" + join(", ", parts) + "}";
}

}  // namespace py
