// Cases that main.cpp fails, each for another reason, and a case that it passes.  check_main.py runs
// them: a check that never fails checks nothing.
#include "channels.hpp"

#include <asyncore/asyncore.hpp>

#include <string>
#include <thread>

#include <unistd.h>

#include <doctest/doctest.h>

TEST_CASE("leaves a descriptor") { CHECK(::dup(0) >= 0); }

TEST_CASE("closes a descriptor") {
    CHECK(::close(9) == 0);  // check_main.py opens it
}

TEST_CASE("leaves an allocation") {
    static std::string* last = nullptr;
    last = new std::string(100, 'x');
    CHECK(last->size() == 100);
}

TEST_CASE("leaves a thread") {
    std::thread([] {
        while (true) ::pause();
    }).detach();
}

TEST_CASE("spins") {
    asyncore::channel_map map;
    auto [ours, theirs] = asyncore::socket_t::pair();
    struct deaf : support::noting {
        using noting::noting;
        void handle_read() override {}
    } channel(std::move(ours), &map);
    theirs.send("x");
    asyncore::loop(0.0, false, &map, 1500);
    CHECK(channel.connected);
}

TEST_CASE("keeps memory once, and moves what is reported") {
    static const std::string kept(100, 'x');
    asyncore::channel_map map;
    auto [ours, theirs] = asyncore::socket_t::pair();
    support::noting channel(std::move(ours), &map);
    for (int i = 0; i < 1000; ++i) {
        theirs.send("x");
        asyncore::loop(0.0, false, &map, 1);
    }
    CHECK(channel.log.size() == 1000);
    CHECK(kept.size() == 100);
}
