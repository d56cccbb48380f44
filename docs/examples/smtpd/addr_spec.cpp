// Python: email/_header_value_parser.py, and decode() of email/_encoded_words.py: as much as smtpd
// can ask of them.  Defects are not recorded.
//
// Where Python says `token, value = get_x(value)`, get_x() takes what it reads off `value`.
#include "addr_spec.hpp"

#include <algorithm>
#include <optional>
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

bool in(char c, text set) { return set.find(c) != set.npos; }

bool starts_in(text value, text set) { return !value.empty() && in(value[0], set); }

/// Python: value[0], which raises an IndexError on an empty string, as at() does.
bool first_in(text value, text set) { return in(value.at(0), set); }

text take(text& value, std::size_t size) {
    const auto taken = value.substr(0, size);
    value.remove_prefix(taken.size());
    return taken;
}

/// With a backslash before each of `special`.
std::string escape(text given, text special) {
    std::string out;
    for (const char c : given) {
        if (in(c, special)) out += '\\';
        out += c;
    }
    return out;
}

std::string quote_string(text value) { return '"' + escape(value, "\\\"") + '"'; }

/// Python: token_type, where it matters.
enum class kind { terminal, dot, fws, list, cfws, encoded_word };

/// Python: Terminal and TokenList, with what str() and .value give.
struct token {
    kind type = kind::list;
    std::string str = {}, value = {};
    std::vector<token> parts = {};

    bool is_list() const { return type >= kind::list; }
    const token& first() const { return parts.at(0); }
    const token& last() const { return parts.at(parts.size() - 1); }

    void add(token part) {
        str += part.str;
        value += part.value;
        parts.push_back(std::move(part));
    }
};

token terminal(text chars) { return {kind::terminal, std::string(chars), std::string(chars)}; }

const token DOT{kind::dot, ".", "."};

template <class Iterator>
token list_of(Iterator begin, Iterator end) {
    token list;
    for (; begin != end; ++begin) list.add(*begin);
    return list;
}

void prepend(token& list, const std::optional<token>& leader) {
    if (!leader) return;
    auto parts = std::move(list.parts);
    parts.insert(parts.begin(), *leader);
    list = list_of(parts.begin(), parts.end());
}

/// What `get` finds, or nothing, and nothing taken, if that raises a HeaderParseError.
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

std::string get_ptext(text& value, text endchars) {
    const auto fragment = value.substr(0, value.find_first_of(WSP));
    // Python: an UnboundLocalError.
    if (fragment.empty()) throw std::logic_error("no text to find the end of");
    std::string vchars;
    bool escaped = false;
    std::size_t pos = 0;
    for (; pos < fragment.size(); ++pos) {
        if (fragment[pos] == '\\' && !escaped) {
            escaped = true;
            continue;
        }
        if (!escaped && in(fragment[pos], endchars)) break;
        escaped = false;
        vchars += fragment[pos];
    }
    take(value, pos);
    return vchars;
}

token get_fws(text& value) {
    const auto size = value.size() - py::lstrip(value).size();
    return {kind::fws, std::string(take(value, size)), " "};
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
    if (name.empty()) return bytes;
    const auto converter = ::iconv_open("UTF-8", name.c_str());
    if (converter == reinterpret_cast<iconv_t>(-1)) return bytes;
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

token get_encoded_word(text& value) {
    const auto refuse = [] { return HeaderParseError("expected encoded word"); };
    if (!value.starts_with("=?")) throw refuse();
    const auto whole = value.substr(2);
    auto end = whole.find("?=");
    if (end == whole.npos) throw refuse();
    std::string tok(whole.substr(0, end));
    value = whole.substr(end + 2);
    if (value.size() > 1 && hex(value[0]) >= 0 && hex(value[1]) >= 0 &&
        std::count(tok.begin(), tok.end(), '?') < 2) {
        // The "?=" was the end of the encoding's name and an escape.
        end = value.find("?=");
        tok += "?=" + std::string(take(value, end));
        take(value, 2);
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
    token word{kind::encoded_word};
    for (text left = decoded; !left.empty();)
        word.add(in(left[0], WSP) ? get_fws(left) : terminal(take(left, left.find_first_of(WSP))));
    return word;
}

// The grammar

token get_qcontent(text& value) { return terminal(get_ptext(value, "\"")); }

token get_atext(text& value) {
    const auto atext = take(value, value.find_first_of(ATOM_ENDS));
    if (atext.empty()) throw HeaderParseError("expected atext");
    return terminal(atext);
}

token get_bare_quoted_string(text& value) {
    take(value, 1);  // the quote: get_word() looked
    std::vector<token> parts;
    if (value.starts_with('"')) parts.push_back(get_qcontent(value));
    while (!value.empty() && value[0] != '"') {
        if (in(value[0], WSP)) {
            parts.push_back(get_fws(value));
            continue;
        }
        auto word = attempt(get_encoded_word, value);
        // White space between two encoded words is dropped, not its token.
        const auto count = parts.size();
        if (word && count > 1 && parts[count - 1].type == kind::fws &&
            parts[count - 2].type == kind::encoded_word)
            parts[count - 1] = terminal("");
        parts.push_back(word ? std::move(*word) : get_qcontent(value));
    }
    take(value, 1);
    auto string = list_of(parts.begin(), parts.end());
    string.value = string.str;
    string.str = quote_string(string.value);
    return string;
}

token get_comment(text& value) {
    take(value, 1);  // "(": get_cfws() looked
    token comment;
    while (!value.empty() && value[0] != ')') {
        if (in(value[0], WSP)) comment.str += get_fws(value).str;
        else if (value[0] == '(') comment.str += get_comment(value).str;
        else comment.str += escape(get_ptext(value, "()"), "\\()");
    }
    take(value, 1);
    comment.str = "(" + comment.str + ")";
    return comment;
}

token get_cfws(text& value) {
    token cfws{kind::cfws};
    while (starts_in(value, CFWS_LEADER))
        cfws.str += (in(value[0], WSP) ? get_fws(value) : get_comment(value)).str;
    cfws.value = " ";
    return cfws;
}

/// Takes the white space and comments that `value` begins with, if any.
std::optional<token> take_cfws(text& value) {
    if (!starts_in(value, CFWS_LEADER)) return std::nullopt;
    return get_cfws(value);
}

/// The same into `list`.
void add_cfws(token& list, text& value) {
    if (auto cfws = take_cfws(value)) list.add(std::move(*cfws));
}

token get_quoted_string(text& value) {
    token string;
    string.add(get_bare_quoted_string(value));
    add_cfws(string, value);
    return string;
}

token get_atom(text& value) {
    token atom;
    add_cfws(atom, value);
    if (starts_in(value, ATOM_ENDS)) throw HeaderParseError("expected atom");
    auto word = attempt(get_encoded_word, value);
    atom.add(word ? std::move(*word) : get_atext(value));
    add_cfws(atom, value);
    return atom;
}

token get_dot_atom_text(text& value) {
    token atoms;
    if (value.empty() || in(value[0], ATOM_ENDS))
        throw HeaderParseError("expected atom at a start of dot-atom-text");
    while (!value.empty() && !in(value[0], ATOM_ENDS)) {
        atoms.add(get_atext(value));
        if (!value.starts_with('.')) continue;
        atoms.add(DOT);
        take(value, 1);
    }
    if (atoms.last().type == kind::dot)
        throw HeaderParseError("expected atom at end of dot-atom-text");
    return atoms;
}

token get_dot_atom(text& value) {
    token atom;
    auto word = attempt(get_encoded_word, value);
    atom.add(word ? std::move(*word) : get_dot_atom_text(value));
    add_cfws(atom, value);
    return atom;
}

token get_word(text& value) {
    const auto leader = take_cfws(value);
    if (value.empty() || (value[0] != '"' && in(value[0], SPECIALS)))
        throw HeaderParseError("expected 'atom' or 'quoted-string'");
    auto word = value[0] == '"' ? get_quoted_string(value) : get_atom(value);
    prepend(word, leader);
    return word;
}

token get_obs_local_part(text& value) {
    token local;
    while (!value.empty() && (value[0] == '\\' || !in(value[0], PHRASE_ENDS))) {
        if (value[0] == '.' || value[0] == '\\') {
            local.add(value[0] == '.' ? DOT : terminal("\\"));
            take(value, 1);
            continue;
        }
        auto word = attempt(get_word, value);
        if (!word && !in(value[0], CFWS_LEADER)) throw HeaderParseError("expected word");
        local.add(word ? std::move(*word) : get_cfws(value));
    }
    // Python looks beside white space for a dot, where there may be nothing.
    if (local.first().type == kind::cfws) local.parts.at(1);
    return local;
}

/// The rest may be of a text that was put together anew, which `anew` keeps.
token get_local_part(text& value, std::string& anew) {
    first_in(value, CFWS_LEADER);
    const auto leader = take_cfws(value);
    if (value.empty()) throw HeaderParseError("expected local-part");
    auto local = attempt(get_dot_atom, value);
    if (!local) local = attempt(get_word, value);
    if (!local && value[0] != '\\' && in(value[0], PHRASE_ENDS))
        throw HeaderParseError("expected local-part");
    if (!local) local = token();
    prepend(*local, leader);
    if (value.empty() || (value[0] != '\\' && in(value[0], PHRASE_ENDS))) return *local;
    anew = local->str + std::string(value);
    value = anew;
    return get_obs_local_part(value);
}

/// The .value of what Python returns.
std::string get_domain_literal(text& value) {
    // Python puts a defect among the tokens, and then trips over it.
    const auto more = [&] {
        if (value.empty()) throw std::logic_error("the domain ends early");
    };
    take(value, 1);  // "[": get_domain() looked
    more();
    std::string literal = "[";
    if (in(value[0], WSP)) literal += get_fws(value).value;
    literal += get_ptext(value, "[]");
    more();
    if (in(value[0], WSP)) literal += get_fws(value).value;
    more();
    if (value[0] != ']') throw HeaderParseError("expected ']' at end of domain-literal");
    take(value, 1);
    take_cfws(value);
    return literal + "]";
}

/// Python: Domain.domain of what it returns, which is .value without white space.
std::string get_domain(text& value) {
    first_in(value, CFWS_LEADER);
    take_cfws(value);
    if (value.empty()) throw HeaderParseError("expected domain");
    std::string domain;
    if (value[0] == '[') {
        domain = get_domain_literal(value);
    } else {
        const auto start = attempt(get_dot_atom, value);
        domain = start ? start->value : get_atom(value).value;
        if (value.starts_with('@')) throw HeaderParseError("invalid domain");
        while (value.starts_with('.')) {
            take(value, 1);
            domain += "." + get_atom(value).value;
        }
    }
    return py::join("", py::split(domain));
}

/// Python: LocalPart.local_part, without the white space at the ends and around the dots.
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
    while (starts_in(value, ", \t("))
        if (!take_cfws(value)) take(value, 1);
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
    // SMTP's null sender.
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
    // Python: the address of an empty local part has it twice.
    const auto twice = found.local_part.empty() ? quote_string("") : "";
    return {twice + found.addr_spec, std::string(rest)};
}

}  // namespace addr_spec
