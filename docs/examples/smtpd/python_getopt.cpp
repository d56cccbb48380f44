// Python: Lib/getopt.py.
#include "python.hpp"

#include <algorithm>

namespace py {

namespace {

using options = std::vector<std::pair<std::string, std::string>>;

std::string take_argument_of(const std::string& opt, list& args) {
    if (args.empty()) throw getopt_error("option " + opt + " requires argument");
    auto first = args.front();
    args.erase(args.begin());
    return first;
}

/// Returns: whether the option takes an argument, and its whole name: `opt` may be the beginning of
///          the name.
std::pair<bool, std::string> long_has_args(const std::string& opt, const list& longopts) {
    list possibilities;
    for (const auto& each : longopts)
        if (each.starts_with(opt)) possibilities.push_back(each);
    const auto has = [&](const std::string& exact) {
        return std::find(possibilities.begin(), possibilities.end(), exact) != possibilities.end();
    };
    if (possibilities.empty()) throw getopt_error("option --" + opt + " not recognized");
    if (has(opt)) return {false, opt};
    if (has(opt + "=")) return {true, opt};
    if (possibilities.size() > 1) throw getopt_error("option --" + opt + " not a unique prefix");
    auto whole = possibilities[0];
    const bool has_arg = whole.ends_with('=');
    if (has_arg) whole.pop_back();
    return {has_arg, whole};
}

bool short_has_arg(char opt, std::string_view shortopts) {
    const auto at = opt == ':' ? shortopts.npos : shortopts.find(opt);
    if (at == shortopts.npos) throw getopt_error(std::string("option -") + opt + " not recognized");
    return shortopts.substr(at + 1).starts_with(':');
}

void do_longs(options& opts, const std::string& word, const list& longopts, list& args) {
    const auto i = word.find('=');
    std::optional<std::string> optarg;
    if (i != word.npos) optarg = word.substr(i + 1);
    const auto [has_arg, opt] = long_has_args(word.substr(0, i), longopts);
    if (!has_arg && optarg) throw getopt_error("option --" + opt + " must not have an argument");
    if (has_arg && !optarg) optarg = take_argument_of("--" + opt, args);
    opts.emplace_back("--" + opt, optarg.value_or(""));
}

void do_shorts(options& opts, std::string optstring, std::string_view shortopts, list& args) {
    while (!optstring.empty()) {
        const char letter = optstring[0];
        const std::string opt{'-', letter};
        optstring.erase(0, 1);
        if (!short_has_arg(letter, shortopts)) {
            opts.emplace_back(opt, "");
            continue;
        }
        if (optstring.empty()) optstring = take_argument_of(opt, args);
        opts.emplace_back(opt, optstring);
        return;
    }
}

}  // namespace

std::pair<options, list> getopt(list args, std::string_view shortopts, const list& longopts) {
    options opts;
    while (!args.empty() && args[0].starts_with('-') && args[0] != "-") {
        const auto word = args[0];
        args.erase(args.begin());
        if (word == "--") break;
        if (word.starts_with("--")) do_longs(opts, word.substr(2), longopts, args);
        else do_shorts(opts, word.substr(1), shortopts, args);
    }
    return {opts, args};
}

}  // namespace py
