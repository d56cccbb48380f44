#include "../channels.hpp"
#include "../support.hpp"

#include <asyncore/log/loggers.hpp>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using asyncore::channel_map, asyncore::dispatcher, asyncore::file_logger;
using support::lines;

namespace {

lines lines_of(const std::string& path) { return support::splitlines(support::read_file(path)); }

/// What follows the time, "2026-11-27 12:00:00,123 ".
std::string without_time(const std::string& line) {
    REQUIRE(line.size() > 24);
    return line.substr(24);
}

}  // namespace

TEST_CASE("file_logger: a map sends what its channels log to a file, with the time and the type") {
    CHECK(support::in_child([] {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
        const support::TempDir folder;
        using std::chrono::milliseconds, std::chrono::system_clock;
        auto now = system_clock::time_point(milliseconds(1234567890042));
        file_logger::options how;
        how.now = [&] { return now; };
        file_logger logger(folder / "log", how);
        channel_map map;
        map.log = std::ref(logger);
        dispatcher channel(&map);
        channel.log("a hit");
        now += milliseconds(1000);
        channel.log_info("a fault", "error");
        return lines_of(folder / "log") == lines{"2009-02-13 23:31:30,042 log: a hit",
                                                 "2009-02-13 23:31:31,042 error: a fault"};
    }));
}

TEST_CASE("file_logger: a message cannot forge a line") {
    const support::TempDir folder;
    file_logger logger(folder / "log");
    logger("GET /\r\n2026-11-27 error: forged\t\x1b[31m\x7f \xc3\xa9", "log");
    const auto all = lines_of(folder / "log");
    REQUIRE(all.size() == 1);
    CHECK(without_time(all[0]) ==
          "log: GET /\\r\\n2026-11-27 error: forged\\t\\x1b[31m\\x7f \xc3\xa9");
}

TEST_CASE("file_logger: reopen() goes on in a new file after the old one was renamed") {
    const support::TempDir folder;
    file_logger logger(folder / "log");
    logger("one", "info");
    std::filesystem::rename(folder / "log", folder / "old");
    logger("two", "info");
    logger.reopen();
    logger("three", "info");
    CHECK(lines_of(folder / "old").size() == 2);
    CHECK(lines_of(folder / "log").size() == 1);
    file_logger appending(folder / "log");
    appending("four", "info");
    CHECK(lines_of(folder / "log").size() == 2);
}

TEST_CASE("file_logger: a file that cannot be opened is an exception, and the old one stays") {
    CHECK_THROWS_AS(file_logger("/no/such/folder/log"), std::system_error);
    const support::TempDir folder;
    std::filesystem::create_directory(folder / "sub");
    file_logger logger(folder / "sub/log");
    std::filesystem::rename(folder / "sub", folder / "moved");
    CHECK_THROWS_AS(logger.reopen(), std::system_error);
    logger("still here", "info");
    CHECK(lines_of(folder / "moved/log").size() == 1);
}

TEST_CASE("file_logger: a full file is renamed, and so many old files are kept") {
    for (const int backups : {0, 1, 2}) {
        CAPTURE(backups);
        const support::TempDir folder;
        file_logger::options how;
        how.max_bytes = 70;  // two lines
        how.backups = backups;
        file_logger logger(folder / "log", how);
        for (const char* const each : {"1", "2", "3", "4", "5", "6", "7"}) logger(each, "info");
        CHECK(lines_of(folder / "log").size() == 1);
        CHECK(std::filesystem::exists(folder / "log.1") == (backups >= 1));
        CHECK(std::filesystem::exists(folder / "log.2") == (backups >= 2));
        CHECK_FALSE(std::filesystem::exists(folder / "log.3"));
        if (backups < 1) continue;
        CHECK(without_time(lines_of(folder / "log.1").back()) == "info: 6");
        if (backups < 2) continue;
        CHECK(without_time(lines_of(folder / "log.2").back()) == "info: 4");
    }
}

TEST_CASE("file_logger: where the new file cannot be opened, the lines go into the old one") {
    const support::TempDir folder;
    std::filesystem::create_directory(folder / "sub");
    file_logger::options how;
    how.max_bytes = 70;  // two lines
    file_logger logger(folder / "sub/log", how);
    logger("1", "info");
    std::filesystem::create_hard_link(folder / "sub/log", folder / "same");
    std::filesystem::remove_all(folder / "sub");
    for (const char* const each : {"2", "3", "4"}) logger(each, "info");
    const auto all = lines_of(folder / "same");
    REQUIRE(all.size() == 4);
    CHECK(without_time(all[3]) == "info: 4");
}

TEST_CASE("file_logger: several threads write whole lines, through several files") {
    const support::TempDir folder;
    file_logger::options how;
    how.max_bytes = 10'000;
    how.backups = 1000;
    file_logger logger(folder / "log", how);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            channel_map map;
            map.log = std::ref(logger);
            dispatcher channel(&map);
            for (int j = 0; j < 500; ++j) channel.log_info("a line");
        });
    for (auto& each : threads) each.join();
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder / ""))
        for (const auto& line : lines_of(entry.path())) {
            ++count;
            CHECK(without_time(line) == "info: a line");
        }
    CHECK(count == 2000);
}

TEST_CASE("tail_logger: it keeps the last messages") {
    asyncore::tail_logger tail(2);
    channel_map map;
    map.log = std::ref(tail);
    dispatcher channel(&map);
    for (const char* const each : {"one", "two", "three"}) channel.log_info(each);
    CHECK(lines(tail.lines().begin(), tail.lines().end()) == lines{"info: two", "info: three"});
}

TEST_CASE("syslog_logger: it takes messages of each type") {
    const asyncore::syslog_logger logger("test_additions", 0);
    for (const char* const type : {"error", "warning", "info", "log"})
        CHECK_NOTHROW(logger("100% of a message", type));
}
