// Python: email/_header_value_parser.py, and decode() of email/_encoded_words.py.  Defects are not
// recorded, since smtpd asks for none.
#include "addr_spec.hpp"

#include <algorithm>
#include <vector>

#include <iconv.h>

#include "python.hpp"

namespace addr_spec {

namespace {

using text = std::string_view;

constexpr text WSP = " \t";
constexpr text CFWS_LEADER = " \t(";
constexpr text SPECIALS = "()<>@,:;.\\\"[]";
constexpr text ATOM_ENDS = "()<>@,:;.\\\"[] \t";
constexpr text DOT_ATOM_ENDS = "()<>@,:;\\\"[] \t";
constexpr text PHRASE_ENDS = ")<>@,:;\\[]";

bool in(char c, text set) {
    return set.find(c) != set.npos;
}
bool starts_in(text value, text set) {
    return !value.empty() && in(value[0], set);
}

/// Python: value[0], which raises an IndexError on an empty string, as at() does.
bool first_in(text value, text set) {
    return in(value.at(0), set);
}

std::string replace_all(std::string_view given, char what, text by) {
    std::string out;
    for (const char c : given)
        if (c == what)
            out += by;
        else
            out += c;
    return out;
}

std::string quote_string(text value) {
    return '"' + replace_all(replace_all(value, '\\', "\\\\"), '"', "\\\"") + '"';
}

/// Python: Terminal and TokenList, with their token_type.
enum class kind {
    none,     // a plain TokenList
    white,    // a WhiteSpaceTerminal
    nothing,  // an EWWhiteSpaceTerminal
    plain,    // a ValueTerminal
    dot,
    broken,  // a defect that Python's parser puts among the tokens, and then trips over
    fws,
    cfws,
    comment,
    encoded_word,
    quoted_string,
    bare_quoted_string,
    atom,
    dot_atom,
    dot_atom_text,
    local_part,
    obs_local_part,
    domain,
    domain_literal,
    addr_spec,
};

struct token {
    kind type = kind::none;
    std::string chars;         // of a terminal
    std::vector<token> parts;  // of a list

    bool is_list() const { return type == kind::none || type >= kind::cfws; }
    const token& first() const { return parts.at(0); }
    const token& last() const { return parts.at(parts.size() - 1); }

    std::string str() const;
    std::string value() const;
};

std::string token::str() const {
    if (type == kind::nothing) return "";
    if (!is_list()) return chars;
    std::string all;
    for (const auto& part : parts) {
        if (type != kind::comment || part.type == kind::comment)
            all += part.str();
        else
            all += replace_all(replace_all(replace_all(part.str(), '\\', "\\\\"), '(', "\\("), ')',
                               "\\)");
    }
    if (type == kind::comment) return "(" + all + ")";
    return type == kind::bare_quoted_string ? quote_string(all) : all;
}

std::string token::value() const {
    switch (type) {
    case kind::nothing:
        return "";
    case kind::white:
    case kind::fws:
    case kind::cfws:
    case kind::comment:
        return " ";
    case kind::plain:
    case kind::dot:
        return chars;
    case kind::broken:
        throw py::AttributeError("'InvalidHeaderDefect' object has no attribute 'value'");
    default:
        break;
    }
    std::string all;
    for (const auto& part : parts)
        all += type == kind::bare_quoted_string ? part.str() : part.value();
    return all;
}

const token DOT{kind::dot, ".", {}};

/// A token, and the rest of the text.
struct parsed {
    token found;
    text rest;
};

/// Adds what was found to `list`, and goes on with the rest.
void take(token& list, text& value, parsed next) {
    list.parts.push_back(std::move(next.found));
    value = next.rest;
}

void prepend(token& list, token&& leader) {
    list.parts.insert(list.parts.begin(), std::move(leader));
}

parsed get_ptext(text value, text endchars, kind type) {
    const auto fragment = value.substr(0, value.find_first_of(WSP));
    // Python: an UnboundLocalError.
    if (fragment.empty()) throw std::logic_error("no text to find the end of");
    std::string vchars;
    bool escape = false;
    std::size_t pos = 0;
    for (; pos < fragment.size(); ++pos) {
        if (fragment[pos] == '\\') {
            escape = !escape;
            if (escape) continue;
        } else if (escape) {
            escape = false;
        } else if (in(fragment[pos], endchars)) {
            break;
        }
        vchars += fragment[pos];
    }
    return {{type, vchars, {}}, value.substr(pos)};
}

parsed get_fws(text value) {
    const auto rest = py::lstrip(value);
    return {{kind::fws, std::string(value.substr(0, value.size() - rest.size())), {}}, rest};
}

// Encoded words, =?charset?q?text?=

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string decode_q(text encoded) {
    std::string out;
    for (std::size_t i = 0; i < encoded.size(); ++i) {
        const auto digits = encoded.substr(i + 1, 2);
        if (encoded[i] == '=' && digits.size() == 2 && hex(digits[0]) >= 0 && hex(digits[1]) >= 0) {
            out += static_cast<char>(hex(digits[0]) * 16 + hex(digits[1]));
            i += 2;
        } else {
            out += encoded[i] == '_' ? ' ' : encoded[i];
        }
    }
    return out;
}

std::string decode_b(text encoded) {
    constexpr text alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    unsigned bits = 0, count = 0;
    std::size_t letters = 0, pads = 0;
    for (const char c : encoded) {
        // Nothing is read after the padding of a group of four.
        if (c == '=' && letters % 4 >= 2 && letters % 4 + ++pads == 4) return out;
        const auto digit = alphabet.find(c);
        if (digit == alphabet.npos) continue;
        ++letters;
        pads = 0;
        bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xffffff;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out += static_cast<char>(bits >> count & 0xff);
    }
    return letters % 4 == 1 ? std::string(encoded) : out;
}

/// Python: of encodings; with a dash, as iconv likes it, for whatever is neither letter nor digit.
std::string normalize_encoding(text encoding) {
    std::string name;
    bool punct = false;
    for (const char& c : encoding) {
        const bool part = py::isalnum({&c, 1}) || c == '.';
        if (part && punct && !name.empty()) name += '-';
        if (part) name += c;
        punct = !part;
    }
    return name;
}

/// Bytes of `charset` as UTF-8, or as they are if that is unknown.
std::string decode_charset(std::string bytes, const std::string& charset) {
    const auto name = normalize_encoding(charset);
    const auto converter = ::iconv_open("UTF-8", name.c_str());
    if (name.empty() || converter == reinterpret_cast<iconv_t>(-1)) return bytes;
    std::string out(bytes.size() * 4 + 16, '\0');
    char* from = bytes.data();
    char* to = out.data();
    std::size_t left = bytes.size(), room = out.size();
    // What is no text in that charset is kept; Python has surrogates for that.
    while (::iconv(converter, &from, &left, &to, &room) == static_cast<std::size_t>(-1) &&
           left > 0 && room > 0) {
        *to++ = *from++;
        --left;
        --room;
    }
    ::iconv_close(converter);
    out.resize(out.size() - room);
    return out;
}

parsed get_encoded_word(text value) {
    const auto refuse = [&] { return HeaderParseError("expected encoded word"); };
    if (!value.starts_with("=?")) throw refuse();
    const auto whole = value.substr(2);
    auto end = whole.find("?=");
    if (end == whole.npos) throw refuse();
    std::string tok(whole.substr(0, end));
    auto rest = whole.substr(end + 2);
    if (rest.size() > 1 && hex(rest[0]) >= 0 && hex(rest[1]) >= 0 &&
        std::count(tok.begin(), tok.end(), '?') < 2) {
        // The "?=" was the end of the encoding's name and an escape.
        end = rest.find("?=");
        tok += "?=" + std::string(rest.substr(0, end));
        rest = end == rest.npos ? text() : rest.substr(end + 2);
    }
    const auto pieces = py::split(tok, "?");
    if (pieces.size() != 3) throw refuse();
    const auto encoding = py::upper(pieces[1]);
    if ((encoding != "Q" && encoding != "B") || pieces[0].find('\0') != text::npos) throw refuse();
    try {
        py::encode_ascii(pieces[2]);
    } catch (const py::UnicodeError&) {
        throw refuse();
    }
    const auto decoded = decode_charset(encoding == "Q" ? decode_q(pieces[2]) : decode_b(pieces[2]),
                                        pieces[0].substr(0, pieces[0].find('*')));
    token word{kind::encoded_word, "", {}};
    for (text left = decoded; !left.empty();) {
        if (in(left[0], WSP)) {
            take(word, left, get_fws(left));
            continue;
        }
        const auto chars = left.substr(0, left.find_first_of(WSP));
        word.parts.push_back({kind::plain, std::string(chars), {}});
        left.remove_prefix(chars.size());
    }
    return {std::move(word), rest};
}

// The grammar

parsed get_qcontent(text value) {
    return get_ptext(value, "\"", kind::plain);
}

parsed get_atext(text value) {
    const auto atext = value.substr(0, value.find_first_of(ATOM_ENDS));
    if (atext.empty()) throw HeaderParseError("expected atext");
    return {{kind::plain, std::string(atext), {}}, value.substr(atext.size())};
}

parsed get_bare_quoted_string(text value) {
    if (!first_in(value, "\"")) throw HeaderParseError("expected '\"'");
    token string{kind::bare_quoted_string, "", {}};
    value.remove_prefix(1);
    if (value.starts_with('"')) take(string, value, get_qcontent(value));
    while (!value.empty() && value[0] != '"') {
        if (in(value[0], WSP)) {
            take(string, value, get_fws(value));
        } else if (!value.starts_with("=?")) {
            take(string, value, get_qcontent(value));
        } else {
            try {
                auto word = get_encoded_word(value);
                // White space between two encoded words is dropped.
                const auto count = string.parts.size();
                if (count > 1 && string.parts[count - 1].type == kind::fws &&
                    string.parts[count - 2].type == kind::encoded_word)
                    string.parts[count - 1].type = kind::nothing;
                take(string, value, std::move(word));
            } catch (const HeaderParseError&) {
                take(string, value, get_qcontent(value));
            }
        }
    }
    return {std::move(string), value.empty() ? value : value.substr(1)};
}

parsed get_comment(text value) {
    if (!value.empty() && value[0] != '(') throw HeaderParseError("expected '('");
    token comment{kind::comment, "", {}};
    value.remove_prefix(1);
    while (!value.empty() && value[0] != ')') {
        if (in(value[0], WSP))
            take(comment, value, get_fws(value));
        else if (value[0] == '(')
            take(comment, value, get_comment(value));
        else
            take(comment, value, get_ptext(value, "()", kind::white));
    }
    return {std::move(comment), value.empty() ? value : value.substr(1)};
}

parsed get_cfws(text value) {
    token cfws{kind::cfws, "", {}};
    while (starts_in(value, CFWS_LEADER))
        take(cfws, value, in(value[0], WSP) ? get_fws(value) : get_comment(value));
    return {std::move(cfws), value};
}

/// Adds the white space and comments that `value` begins with, if any.
void take_cfws(token& list, text& value) {
    if (starts_in(value, CFWS_LEADER)) take(list, value, get_cfws(value));
}

parsed get_quoted_string(text value) {
    token string{kind::quoted_string, "", {}};
    take_cfws(string, value);
    take(string, value, get_bare_quoted_string(value));
    take_cfws(string, value);
    return {std::move(string), value};
}

/// An encoded word, or else what `otherwise` finds.
parsed get_encoded_word_or(text value, parsed (*otherwise)(text)) {
    if (!value.starts_with("=?")) return otherwise(value);
    try {
        return get_encoded_word(value);
    } catch (const HeaderParseError&) {
        return otherwise(value);
    }
}

parsed get_atom(text value) {
    token atom{kind::atom, "", {}};
    take_cfws(atom, value);
    if (starts_in(value, ATOM_ENDS)) throw HeaderParseError("expected atom");
    take(atom, value, get_encoded_word_or(value, get_atext));
    take_cfws(atom, value);
    return {std::move(atom), value};
}

parsed get_dot_atom_text(text value) {
    token atoms{kind::dot_atom_text, "", {}};
    if (value.empty() || in(value[0], ATOM_ENDS))
        throw HeaderParseError("expected atom at a start of dot-atom-text");
    while (!value.empty() && !in(value[0], ATOM_ENDS)) {
        take(atoms, value, get_atext(value));
        if (!value.starts_with('.')) continue;
        atoms.parts.push_back(DOT);
        value.remove_prefix(1);
    }
    if (atoms.last().type == kind::dot)
        throw HeaderParseError("expected atom at end of dot-atom-text");
    return {std::move(atoms), value};
}

parsed get_dot_atom(text value) {
    token atom{kind::dot_atom, "", {}};
    if (first_in(value, CFWS_LEADER)) take(atom, value, get_cfws(value));
    take(atom, value, get_encoded_word_or(value, get_dot_atom_text));
    take_cfws(atom, value);
    return {std::move(atom), value};
}

parsed get_word(text value) {
    std::optional<token> leader;
    if (first_in(value, CFWS_LEADER)) {
        auto cfws = get_cfws(value);
        leader = std::move(cfws.found);
        value = cfws.rest;
    }
    if (value.empty()) throw HeaderParseError("expected 'atom' or 'quoted-string'");
    if (value[0] != '"' && in(value[0], SPECIALS))
        throw HeaderParseError("expected 'atom' or 'quoted-string'");
    auto word = value[0] == '"' ? get_quoted_string(value) : get_atom(value);
    if (leader) prepend(word.found, std::move(*leader));
    return word;
}

/// Takes the text over that it parses: what is left of it lies in it.
struct parsed_copy {
    token found;
    std::string rest;
};

parsed_copy get_obs_local_part(text value) {
    token local{kind::obs_local_part, "", {}};
    while (!value.empty() && (value[0] == '\\' || !in(value[0], PHRASE_ENDS))) {
        if (value[0] == '.' || value[0] == '\\') {
            local.parts.push_back(value[0] == '.' ? DOT : token{kind::plain, "\\", {}});
            value.remove_prefix(1);
            continue;
        }
        try {
            take(local, value, get_word(value));
        } catch (const HeaderParseError&) {
            if (!in(value[0], CFWS_LEADER)) throw;
            take(local, value, get_cfws(value));
        }
    }
    // Python looks for dots at both ends, and may look too far.
    if (local.first().type == kind::cfws) local.parts.at(1);
    const auto count = local.parts.size();
    // Python: [-2] of a list of one is an IndexError.
    if (local.last().type == kind::cfws) local.parts.at(count - 2);
    return {std::move(local), std::string(value)};
}

parsed_copy get_local_part(text value) {
    std::optional<token> leader;
    if (first_in(value, CFWS_LEADER)) {
        auto cfws = get_cfws(value);
        leader = std::move(cfws.found);
        value = cfws.rest;
    }
    if (value.empty()) throw HeaderParseError("expected local-part");
    parsed start{{}, value};
    try {
        start = get_dot_atom(value);
    } catch (const HeaderParseError&) {
        try {
            start = get_word(value);
        } catch (const HeaderParseError&) {
            if (value[0] != '\\' && in(value[0], PHRASE_ENDS)) throw;
        }
    }
    if (leader) prepend(start.found, std::move(*leader));
    value = start.rest;
    token local{kind::local_part, "", {std::move(start.found)}};
    if (value.empty() || (value[0] != '\\' && in(value[0], PHRASE_ENDS)))
        return {std::move(local), std::string(value)};
    auto again = get_obs_local_part(local.str() + std::string(value));
    local.parts[0] = std::move(again.found);
    return {std::move(local), std::move(again.rest)};
}

parsed get_domain_literal(text value) {
    token literal{kind::domain_literal, "", {}};
    const auto ended_early = [&] {
        if (value.empty()) literal.parts.push_back({kind::broken, "", {}});
        return value.empty();
    };
    value.remove_prefix(1);  // "[": get_domain() looked
    if (ended_early()) return {std::move(literal), value};
    literal.parts.push_back({kind::plain, "[", {}});
    if (in(value[0], WSP)) take(literal, value, get_fws(value));
    take(literal, value, get_ptext(value, "[]", kind::plain));
    if (ended_early()) return {std::move(literal), value};
    if (in(value[0], WSP)) take(literal, value, get_fws(value));
    if (ended_early()) return {std::move(literal), value};
    if (value[0] != ']') throw HeaderParseError("expected ']' at end of domain-literal");
    literal.parts.push_back({kind::plain, "]", {}});
    value.remove_prefix(1);
    take_cfws(literal, value);
    return {std::move(literal), value};
}

parsed get_domain(text value) {
    token domain{kind::domain, "", {}};
    std::optional<token> leader;
    if (first_in(value, CFWS_LEADER)) {
        auto cfws = get_cfws(value);
        leader = std::move(cfws.found);
        value = cfws.rest;
    }
    if (value.empty()) throw HeaderParseError("expected domain");
    parsed start{{}, value};
    const bool literal = value[0] == '[';
    if (literal) {
        start = get_domain_literal(value);
    } else {
        try {
            start = get_dot_atom(value);
        } catch (const HeaderParseError&) {
            start = get_atom(value);
        }
        if (start.rest.starts_with('@')) throw HeaderParseError("invalid domain");
    }
    if (leader) prepend(start.found, std::move(*leader));
    value = start.rest;
    domain.parts.push_back(std::move(start.found));
    while (!literal && value.starts_with('.')) {
        domain.parts.push_back(DOT);
        value.remove_prefix(1);
        take(domain, value, get_atom(value));
    }
    return {std::move(domain), value};
}

/// Python: AddrSpec.  Its text may have been put together anew, so it comes with a copy of the rest.
struct address {
    token local;
    std::optional<token> domain;
    std::string rest;

    std::string local_part() const;
    std::string addr_spec() const;
};

address parse_addr_spec(text value) {
    auto local = get_local_part(value);
    if (!local.rest.starts_with('@')) return {std::move(local.found), {}, std::move(local.rest)};
    auto domain = get_domain(text(local.rest).substr(1));
    return {std::move(local.found), std::move(domain.found), std::string(domain.rest)};
}

/// Python: LocalPart.local_part, without the white space at the ends and around the dots.
std::string address::local_part() const {
    std::vector<token> res{DOT};
    bool last_is_tl = false;
    auto all = local.parts[0].parts;
    all.push_back(DOT);
    for (const auto& tok : all) {
        if (tok.type == kind::cfws) continue;
        const auto last = res.back();
        if (last_is_tl && tok.type == kind::dot && last.last().type == kind::cfws)
            res.back() = {kind::none, "", {last.parts.begin(), last.parts.end() - 1}};
        const bool is_tl = tok.is_list();
        if (is_tl && last.type == kind::dot && tok.first().type == kind::cfws)
            res.push_back({kind::none, "", {tok.parts.begin() + 1, tok.parts.end()}});
        else
            res.push_back(tok);
        last_is_tl = is_tl;
    }
    return token{kind::none, "", {res.begin() + 1, res.end() - 1}}.value();
}

std::string address::addr_spec() const {
    auto lp = local_part();
    if (lp.find_first_of(DOT_ATOM_ENDS) != lp.npos) lp = quote_string(lp);
    if (!domain) return lp;
    return lp + '@' + py::join("", py::split(domain->value()));
}

std::string get_obs_route(std::string_view value) {
    while (starts_in(value, ", \t(")) {
        if (value[0] == ',')
            value.remove_prefix(1);
        else
            value = get_cfws(value).rest;
    }
    if (!value.starts_with('@')) throw HeaderParseError("expected obs-route domain");
    value = get_domain(value.substr(1)).rest;
    while (value.starts_with(',')) {
        value.remove_prefix(1);
        if (value.empty()) break;
        if (in(value[0], CFWS_LEADER)) value = get_cfws(value).rest;
        if (first_in(value, "@")) value = get_domain(value.substr(1)).rest;
    }
    if (value.empty()) throw HeaderParseError("end of header while parsing obs-route");
    if (value[0] != ':') throw HeaderParseError("expected ':' marking end of obs-route");
    return std::string(value.substr(1));
}

}  // namespace

std::pair<std::string, std::string> get_addr_spec(std::string_view value) {
    auto found = parse_addr_spec(value);
    return {found.addr_spec(), std::move(found.rest)};
}

std::pair<std::string, std::string> get_angle_addr(std::string_view value) {
    if (first_in(value, CFWS_LEADER)) value = get_cfws(value).rest;
    if (!value.starts_with('<')) throw HeaderParseError("expected angle-addr");
    value.remove_prefix(1);
    // SMTP's null sender.
    if (first_in(value, ">")) return {"<>", std::string(value.substr(1))};
    std::optional<address> found;
    try {
        found = parse_addr_spec(value);
    } catch (const HeaderParseError&) {
        found = parse_addr_spec(get_obs_route(value));
    }
    text rest = found->rest;
    if (rest.starts_with('>')) rest.remove_prefix(1);
    if (starts_in(rest, CFWS_LEADER)) rest = get_cfws(rest).rest;
    const auto spec = found->addr_spec();
    // Python: the address of an empty local part has it twice.
    return {found->local_part().empty() ? quote_string("") + spec : spec, std::string(rest)};
}

}  // namespace addr_spec
