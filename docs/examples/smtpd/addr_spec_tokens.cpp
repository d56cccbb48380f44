#include "addr_spec_tokens.hpp"

#include "addr_spec.hpp"

namespace addr_spec {

text take(text& value, std::size_t size) {
    const auto taken = value.substr(0, size);
    value.remove_prefix(taken.size());
    return taken;
}

std::string escape(text given, text special) {
    std::string out;
    for (const char c : given) {
        if (in(c, special)) out += '\\';
        out += c;
    }
    return out;
}

std::string quote_string(text value) { return '"' + escape(value, "\\\"") + '"'; }

void token::add(token part) {
    str += part.str;
    value += part.value;
    parts.push_back(std::move(part));
}

token terminal(text chars) { return {kind::terminal, std::string(chars), std::string(chars)}; }

void prepend(token& list, const std::optional<token>& leader) {
    if (!leader) return;
    auto parts = std::move(list.parts);
    parts.insert(parts.begin(), *leader);
    list = list_of(parts.begin(), parts.end());
}

std::optional<token> attempt(token (*get)(text&), text& value) {
    auto rest = value;
    try {
        auto found = get(rest);
        value = rest;
        return found;
    } catch (const HeaderParseError&) {
        return std::nullopt;
    }
}

}  // namespace addr_spec
