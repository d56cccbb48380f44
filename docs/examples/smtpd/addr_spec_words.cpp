#include "addr_spec_words.hpp"

#include <algorithm>
#include <stdexcept>

#include "addr_spec.hpp"
#include "encoded_words.hpp"
#include "python.hpp"

namespace addr_spec {

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

namespace {

/// Takes an encoded word off the front of `value`.
/// Returns: the word without "=?" and "?=".
std::string take_encoded_word(text& value) {
    const HeaderParseError refused("expected encoded word");
    if (!value.starts_with("=?")) throw refused;
    value.remove_prefix(2);
    const auto end = value.find("?=");
    if (end == value.npos) throw refused;
    std::string tok(take(value, end));
    take(value, 2);
    const bool escape = value.size() > 1 && encoded_words::hex_digit(value[0]) >= 0 &&
                        encoded_words::hex_digit(value[1]) >= 0;
    if (!escape || std::count(tok.begin(), tok.end(), '?') >= 2) return tok;
    // That "?=" was not the end: the text of the word begins with an escape, as in =?utf-8?q?=41?=.
    tok += "?=";
    tok += take(value, value.find("?="));
    take(value, 2);
    return tok;
}

token get_encoded_word(text& value) {
    const auto tok = take_encoded_word(value);
    std::string decoded;
    try {
        decoded = encoded_words::decode(tok);
    } catch (const std::invalid_argument&) {
        throw HeaderParseError("encoded word format invalid");
    }
    token word{kind::encoded_word};
    text left = decoded;
    while (!left.empty()) {
        if (in(left[0], WSP)) word.add(get_fws(left));
        else word.add(terminal(take(left, left.find_first_of(WSP))));
    }
    return word;
}

token get_qcontent(text& value) { return terminal(get_ptext(value, "\"")); }

token get_atext(text& value) {
    const auto atext = take(value, value.find_first_of(ATOM_ENDS));
    if (atext.empty()) throw HeaderParseError("expected atext");
    return terminal(atext);
}

/// Whether the last two parts are an encoded word and white space.
bool ends_in_encoded_word_and_fws(const std::vector<token>& parts) {
    const auto count = parts.size();
    return count > 1 && parts[count - 1].type == kind::fws &&
           parts[count - 2].type == kind::encoded_word;
}

token get_bare_quoted_string(text& value) {
    take(value, 1);  // the quote, which get_word() found
    std::vector<token> parts;
    if (value.starts_with('"')) parts.push_back(get_qcontent(value));
    while (!value.empty() && value[0] != '"') {
        if (in(value[0], WSP)) {
            parts.push_back(get_fws(value));
            continue;
        }
        auto word = attempt(get_encoded_word, value);
        // White space between two encoded words becomes an empty token.
        if (word && ends_in_encoded_word_and_fws(parts)) parts.back() = terminal("");
        parts.push_back(word ? std::move(*word) : get_qcontent(value));
    }
    take(value, 1);
    auto string = list_of(parts.begin(), parts.end());
    string.value = string.str;
    string.str = quote_string(string.value);
    return string;
}

/// A comment may hold comments, and a client chooses how deep they are.  So this is a loop, where
/// Python calls itself.
/// Throws: py::RecursionError.
token get_comment(text& value) {
    token comment;
    int depth = 0;
    do {
        if (value.empty() || value[0] == ')') {
            // All comments that are open end where the text ends.
            take(value, 1);
            comment.str += ')';
            --depth;
        } else if (value[0] == '(') {
            if (++depth > py::recursion_limit) throw py::RecursionError();
            take(value, 1);
            comment.str += '(';
        } else if (in(value[0], WSP)) {
            comment.str += get_fws(value).str;
        } else {
            comment.str += escape(get_ptext(value, "()"), "\\()");
        }
    } while (depth > 0);
    return comment;
}

/// Adds the white space and the comments that `value` begins with to `list`.
void add_cfws(token& list, text& value) {
    if (auto cfws = take_cfws(value)) list.add(std::move(*cfws));
}

token get_quoted_string(text& value) {
    token string;
    string.add(get_bare_quoted_string(value));
    add_cfws(string, value);
    return string;
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

}  // namespace

token get_cfws(text& value) {
    token cfws{kind::cfws};
    while (starts_in(value, CFWS_LEADER)) {
        const auto part = in(value[0], WSP) ? get_fws(value) : get_comment(value);
        cfws.str += part.str;
    }
    cfws.value = " ";
    return cfws;
}

std::optional<token> take_cfws(text& value) {
    if (!starts_in(value, CFWS_LEADER)) return std::nullopt;
    return get_cfws(value);
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

}  // namespace addr_spec
