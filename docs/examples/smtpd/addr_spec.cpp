// Python: email/_header_value_parser.py, get_local_part() to get_angle_addr(): the part that smtpd
// needs.  It does not record defects.
#include "addr_spec.hpp"

#include <optional>
#include <stdexcept>
#include <vector>

#include "addr_spec_tokens.hpp"
#include "addr_spec_words.hpp"
#include "python.hpp"

namespace addr_spec {

namespace {

/// Python: value[0] != '\\' and value[0] in PHRASE_ENDS.
bool ends_phrase(text value) { return value[0] != '\\' && in(value[0], PHRASE_ENDS); }

token get_obs_local_part(text& value) {
    token local;
    while (!value.empty() && !ends_phrase(value)) {
        if (value[0] == '.' || value[0] == '\\') {
            local.add(value[0] == '.' ? DOT : terminal("\\"));
            take(value, 1);
            continue;
        }
        auto word = attempt(get_word, value);
        if (!word && !in(value[0], CFWS_LEADER)) throw HeaderParseError("expected word");
        local.add(word ? std::move(*word) : get_cfws(value));
    }
    // Python looks for a dot behind white space, and raises an IndexError if there is no token.
    if (local.first().type == kind::cfws) local.parts.at(1);
    return local;
}

/// Puts the text together anew in some cases.  `anew` keeps it then, and `value` is a part of it.
token get_local_part(text& value, std::string& anew) {
    first_in(value, CFWS_LEADER);
    const auto leader = take_cfws(value);
    if (value.empty()) throw HeaderParseError("expected local-part");
    auto local = attempt(get_dot_atom, value);
    if (!local) local = attempt(get_word, value);
    if (!local && ends_phrase(value)) throw HeaderParseError("expected local-part");
    if (!local) local = token();
    prepend(*local, leader);
    if (value.empty() || ends_phrase(value)) return *local;
    anew = local->str + std::string(value);
    value = anew;
    return get_obs_local_part(value);
}

/// Returns: the value of Python's token.
std::string get_domain_literal(text& value) {
    // Python puts a defect among the tokens here, and fails when it comes to that.
    const auto expect_more = [&] {
        if (value.empty()) throw std::logic_error("the domain ends early");
    };
    take(value, 1);  // the bracket, which get_domain() found
    expect_more();
    std::string literal = "[";
    if (in(value[0], WSP)) literal += get_fws(value).value;
    literal += get_ptext(value, "[]");
    expect_more();
    if (in(value[0], WSP)) literal += get_fws(value).value;
    expect_more();
    if (value[0] != ']') throw HeaderParseError("expected ']' at end of domain-literal");
    take(value, 1);
    take_cfws(value);
    return literal + "]";
}

std::string get_domain_atoms(text& value) {
    const auto start = attempt(get_dot_atom, value);
    auto domain = start ? start->value : get_atom(value).value;
    if (value.starts_with('@')) throw HeaderParseError("invalid domain");
    while (value.starts_with('.')) {
        take(value, 1);
        domain += "." + get_atom(value).value;
    }
    return domain;
}

/// Returns: the attribute `domain` of Python's token, which is its value without white space.
std::string get_domain(text& value) {
    first_in(value, CFWS_LEADER);
    take_cfws(value);
    if (value.empty()) throw HeaderParseError("expected domain");
    const auto domain = value[0] == '[' ? get_domain_literal(value) : get_domain_atoms(value);
    return py::join("", py::split(domain));
}

/// Python: LocalPart.local_part.  It has no white space at its ends and beside its dots.
std::string local_part(const token& local) {
    std::vector<token> res{DOT};
    bool last_is_tl = false;
    auto all = local.parts;
    all.push_back(DOT);
    for (const auto& tok : all) {
        if (tok.type == kind::cfws) continue;
        const auto last = res.back();
        if (last_is_tl && tok.type == kind::dot && last.last().type == kind::cfws)
            res.back() = list_of(last.parts.begin(), last.parts.end() - 1);
        last_is_tl = tok.is_list();
        if (last_is_tl && last.type == kind::dot && tok.first().type == kind::cfws)
            res.push_back(list_of(tok.parts.begin() + 1, tok.parts.end()));
        else res.push_back(tok);
    }
    return list_of(res.begin() + 1, res.end() - 1).value;
}

/// Python: AddrSpec.
struct address {
    std::string local_part, addr_spec, rest;
};

address parse_addr_spec(text value) {
    std::string anew;
    const auto local = get_local_part(value, anew);
    std::string domain;
    if (value.starts_with('@')) {
        take(value, 1);
        domain = "@" + get_domain(value);
    }
    const auto name = local_part(local);
    const bool quoted = name.find_first_of(DOT_ATOM_ENDS) != name.npos;
    return {name, (quoted ? quote_string(name) : name) + domain, std::string(value)};
}

void get_obs_route(text& value) {
    while (starts_in(value, ", \t(")) {
        const auto cfws = take_cfws(value);
        if (!cfws) take(value, 1);  // a comma
    }
    if (!value.starts_with('@')) throw HeaderParseError("expected obs-route domain");
    take(value, 1);
    get_domain(value);
    while (value.starts_with(',')) {
        take(value, 1);
        if (value.empty()) break;
        take_cfws(value);
        if (!first_in(value, "@")) continue;
        take(value, 1);
        get_domain(value);
    }
    if (!value.starts_with(':')) throw HeaderParseError("expected ':' marking end of obs-route");
    take(value, 1);
}

}  // namespace

std::pair<std::string, std::string> get_addr_spec(std::string_view value) {
    auto found = parse_addr_spec(value);
    return {std::move(found.addr_spec), std::move(found.rest)};
}

std::pair<std::string, std::string> get_angle_addr(std::string_view value) {
    take_cfws(value);
    if (!value.starts_with('<')) throw HeaderParseError("expected angle-addr");
    take(value, 1);
    // The null sender of SMTP.
    if (first_in(value, ">")) return {"<>", std::string(value.substr(1))};
    address found;
    try {
        found = parse_addr_spec(value);
    } catch (const HeaderParseError&) {
        get_obs_route(value);
        found = parse_addr_spec(value);
    }
    text rest = found.rest;
    if (rest.starts_with('>')) take(rest, 1);
    take_cfws(rest);
    // In Python an address with an empty local part has the local part twice.
    const auto twice = found.local_part.empty() ? quote_string("") : "";
    return {twice + found.addr_spec, std::string(rest)};
}

}  // namespace addr_spec
