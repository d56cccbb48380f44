// Python: email/_header_value_parser.py, Terminal and TokenList; and how to take text apart.
//
// Where Python says `token, value = get_x(value)`, get_x() takes what it reads off `value`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace addr_spec {

using text = std::string_view;

inline constexpr text WSP = " \t";
inline constexpr text CFWS_LEADER = " \t(";
inline constexpr text SPECIALS = "()<>@,:;.\\\"[]";
inline constexpr text ATOM_ENDS = "()<>@,:;.\\\"[] \t";
inline constexpr text DOT_ATOM_ENDS = "()<>@,:;\\\"[] \t";
inline constexpr text PHRASE_ENDS = ")<>@,:;\\[]";

inline bool in(char c, text set) { return set.find(c) != set.npos; }
inline bool starts_in(text value, text set) { return !value.empty() && in(value[0], set); }
/// Python: value[0] in set.
/// Throws: std::out_of_range for empty text, where Python raises an IndexError.
inline bool first_in(text value, text set) { return in(value.at(0), set); }

/// Takes `size` characters, or as many as there are, off the front of `value`.
text take(text& value, std::size_t size);
/// Puts a backslash before each of the characters `special`.
std::string escape(text given, text special);
std::string quote_string(text value);

/// Python: token_type, of the types that matter here.
enum class kind { terminal, dot, fws, list, cfws, encoded_word };

/// A Terminal or a TokenList.
struct token {
    kind type = kind::list;
    std::string str = {}, value = {};  // Python: str(token) and token.value
    std::vector<token> parts = {};

    bool is_list() const { return type >= kind::list; }
    const token& first() const { return parts.at(0); }
    const token& last() const { return parts.at(parts.size() - 1); }
    void add(token part);
};

token terminal(text chars);
inline const token DOT{kind::dot, ".", "."};

template <class Iterator>
token list_of(Iterator begin, Iterator end) {
    token list;
    for (; begin != end; ++begin) list.add(*begin);
    return list;
}

/// Python: list[:0] = [leader], if there is a leader.
void prepend(token& list, const std::optional<token>& leader);

/// What `get` finds.
/// Returns: nothing, and takes nothing, if `get` throws a HeaderParseError.
std::optional<token> attempt(token (*get)(text&), text& value);

}  // namespace addr_spec
