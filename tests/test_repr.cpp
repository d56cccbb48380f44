// platform/repr.hpp: Python's repr() of text and bytes.
#include "support.hpp"

#include <asyncore/platform/repr.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using namespace std::string_literals;

namespace {

bool there_is(const char* program) {
    return std::system(("command -v "s + program + " >/dev/null 2>&1").c_str()) == 0;
}

}  // namespace

TEST_CASE("repr: quotes and escapes are Python's") {
    CHECK(bytes_repr("") == "b''");
    CHECK(bytes_repr("it's") == R"(b"it's")");
    CHECK(bytes_repr(R"(say "x")") == R"(b'say "x"')");
    CHECK(bytes_repr(R"(both ' and ")") == R"(b'both \' and "')");
    CHECK(bytes_repr("\\") == R"(b'\\')");
    CHECK(bytes_repr("a\tb\nc\rd") == R"(b'a\tb\nc\rd')");
    CHECK(bytes_repr("\0\x01\x1f\x7f\x80\xff"s) == R"(b'\x00\x01\x1f\x7f\x80\xff')");
    CHECK(str_repr("") == "''");
    CHECK(str_repr("it's") == R"("it's")");
    CHECK(str_repr(R"(both ' and ")") == R"('both \' and "')");
    CHECK(str_repr("\0\t\x1b\x7f"s) == R"('\x00\t\x1b\x7f')");
    CHECK(str_repr("na\xc3\xafve") == "'na\xc3\xafve'");
}

TEST_CASE("repr: the python3 of this machine prints the same" *
          doctest::skip(!there_is("python3"))) {
    std::vector<std::string> texts;
    for (int a = 0; a < 256; ++a) texts.emplace_back(1, static_cast<char>(a));
    for (const char a : "'\"\\\n\0x\xff"s)
        for (const char b : "'\"\\\n\0x\xff"s)
            for (const char c : "'\"\\\n\0x\xff"s) texts.push_back({a, b, c});
    const support::TempDir folder;
    std::string escaped;
    for (const auto& text : texts) {
        for (const char c : text) {
            char digits[3];
            std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(c));
            escaped += digits;
        }
        escaped += '\n';
    }
    support::write_file(folder / "texts", escaped);
    support::write_file(folder / "reprs.py", R"(import sys
for line in open(sys.argv[1]):
    text = bytes.fromhex(line)
    print(repr(text), repr(text.decode('ascii')) if text.isascii() else '-')
)");
    REQUIRE(std::system(("python3 '" + (folder / "reprs.py") + "' '" + (folder / "texts") + "' >'" +
                         (folder / "reprs") + "'")
                            .c_str()) == 0);
    const auto lines = support::splitlines(support::read_file(folder / "reprs"));
    REQUIRE(lines.size() == texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const bool ascii = texts[i].find_first_of("\xff") == std::string::npos &&
                           (texts[i].size() > 1 || static_cast<signed char>(texts[i][0]) >= 0);
        CHECK(bytes_repr(texts[i]) + " " + (ascii ? str_repr(texts[i]) : "-") == lines[i]);
    }
}
