// asynchat/terminator.hpp: what a channel collects up to: a delimiter, a number of bytes, or none.
#include <asynchat/terminator.hpp>

#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>

using asynchat::terminator_t;

TEST_CASE("terminator: terminators are equal exactly if their kind and value are") {
    const terminator_t all[] = {
        {asynchat::none}, {0},      {1},         {1000},       {""},
        {"\n"},           {"\r\n"}, {"0123456"}, {"01234567"}, {"a long delimiter"}};
    for (const auto& a : all) {
        for (const auto& b : all) CHECK((a == b) == (&a == &b));
        const auto copy = a;
        CHECK(copy == a);
        terminator_t assigned("something else");
        assigned = a;
        CHECK(assigned == a);
        CHECK(int{a.is_none()} + int{a.is_number()} + int{a.is_delimiter()} == 1);
        CHECK(bool(a) == (a.number() != 0 || !a.delimiter().empty()));
    }
    CHECK(terminator_t().is_none());
    CHECK(!terminator_t(asynchat::none));
    CHECK(!terminator_t(0));
    CHECK(!terminator_t(""));
    CHECK(terminator_t(1));
    CHECK(terminator_t("x"));
    CHECK(terminator_t(5).is_number());
    CHECK(terminator_t("").is_delimiter());
    CHECK(asynchat::none == asynchat::none_t());
}

TEST_CASE("terminator: a terminator that was moved away is none") {
    for (const char* delimiter : {"\r\n", "a long delimiter"}) {
        terminator_t from(delimiter);
        const terminator_t to = std::move(from);
        CHECK(to.delimiter() == delimiter);
        CHECK(from.is_none());
        CHECK(from.delimiter().empty());
    }
}

TEST_CASE("terminator: a literal is all its bytes, and a variable is text") {
    CHECK(terminator_t("\0").delimiter() == std::string_view("\0", 1));
    CHECK(terminator_t("a\0b").delimiter() == std::string_view("a\0b", 3));
    static constexpr char without_end[] = {'\r', '\n'};
    CHECK(terminator_t(without_end).delimiter() == "\r\n");
    char text[8] = "\r\n";
    CHECK(terminator_t(text).delimiter() == "\r\n");
}

TEST_CASE("terminator: a long delimiter that repeats itself is found wherever it begins") {
    for (const std::string_view delimiter :
         {"aaaaaaaaaa", "abababababab", "aabaaabaaac", "abcabcabcabd"})
        for (std::size_t cut = 0; cut <= delimiter.size(); ++cut)
            for (const auto* const before : {"", "a", "ab", "aab", "abcabc"}) {
                CAPTURE(delimiter);
                CAPTURE(cut);
                const auto text =
                    std::string(before).append(delimiter, 0, cut).append(delimiter) + "x";
                terminator_t wanted(delimiter);
                const auto [index, whole] = wanted.find_in(text, 0);
                CHECK(whole);
                CHECK(index == text.find(delimiter));
            }
}
