#include "plan.hpp"

#include "report.hpp"

#include <cstdlib>
#include <cstring>
#include <string_view>

#include <unistd.h>

namespace faults {

namespace {

constexpr std::uint64_t once = 0, forever = UINT64_MAX;

struct fault {
    std::string_view name;
    std::uint64_t first = 0;
    verdict what;
    std::uint64_t lasts = once;  // nanoseconds
    std::uint64_t since = 0;     // when it fired first
};

constexpr std::size_t most = 4;
fault faults_[most];
std::size_t count = 0;

/// Takes the text before `end` away from `rest`.
std::string_view take(std::string_view& rest, char end) {
    const auto at = rest.find(end);
    const auto taken = rest.substr(0, at);
    rest.remove_prefix(at == rest.npos ? rest.size() : at + 1);
    return taken;
}

std::uint64_t number(std::string_view digits) {
    std::uint64_t value = 0;
    for (const char digit : digits) value = value * 10 + static_cast<std::uint64_t>(digit - '0');
    return value;
}

[[noreturn]] void refuse(std::string_view word) {
    static_cast<void>(!::write(2, "FAULTS: ", 8));
    static_cast<void>(!::write(2, word.data(), word.size()));
    static_cast<void>(!::write(2, ": not understood\n", 17));
    ::_exit(99);
}

int errno_named(std::string_view name) {
    for (int error = 1; error < 134; ++error)
        if (const char* const known = ::strerrorname_np(error); known && name == known)
            return error;
    refuse(name);
}

verdict effect_named(std::string_view word) {
    if (word == "ready") return {effect::ready};
    if (word == "urgent") return {effect::urgent};
    if (word == "early") return {effect::early};
    if (!word.starts_with("short=")) return {effect::error, errno_named(word)};
    return {effect::cut, static_cast<int>(number(word.substr(6)))};
}

std::uint64_t duration_named(std::string_view word) {
    if (word.empty() || word == "once") return once;
    if (word == "forever") return forever;
    return number(word) * 1'000'000;
}

bool read_plan() {
    const char* const text = ::getenv("FAULTS");
    for (std::string_view rest = text ? text : ""; !rest.empty() && count < most;) {
        auto words = take(rest, ',');
        auto& each = faults_[count++];
        each.name = take(words, ':');
        each.first = number(take(words, ':'));
        each.what = effect_named(take(words, ':'));
        each.lasts = duration_named(words);
    }
    return true;
}

bool meets(fault& each, std::uint64_t index) {
    if (index < each.first) return false;
    if (each.lasts == once) return index == each.first;
    if (each.since == 0) each.since = now();
    return each.lasts == forever || now() - each.since < each.lasts;
}

}  // namespace

verdict judge(const char* name, std::size_t length, std::uint64_t index) noexcept {
    static const bool known = read_plan();
    for (std::size_t i = 0; known && i < count; ++i)
        if (faults_[i].name == std::string_view(name, length) && meets(faults_[i], index))
            return faults_[i].what;
    return {};
}

}  // namespace faults
