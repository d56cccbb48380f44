// asyncore/spares.hpp: the containers that a thread keeps for the next use.
#include <asyncore/spares.hpp>

#include <asyncore/platform/thread_exit.hpp>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace {

/// Counts how many there are.
struct counted : std::string {
    static inline int alive = 0;
    counted() { ++alive; }
    ~counted() { --alive; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
};

using spares = asyncore::spares<counted, 100>;

void in_a_thread(void (*call)()) { std::thread(call).join(); }

}  // namespace

TEST_CASE("spares: a container is kept for the next use, and freed when the thread ends") {
    in_a_thread([] {
        auto first = spares::take();
        const auto* const address = first.get();
        first->append("x");
        spares::give(std::move(first));
        CHECK(counted::alive == 1);
        const auto again = spares::take();
        CHECK(again.get() == address);
        CHECK(*again == "x");
        spares::give(std::make_unique<counted>());
    });
    CHECK(counted::alive == 0);
}

TEST_CASE("spares: a large container, and none, and more than 32 are not kept") {
    in_a_thread([] {
        spares::give(spares::take());
        spares::give(nullptr);
        auto large = std::make_unique<counted>();
        large->resize(1000);
        spares::give(std::move(large));
        CHECK(counted::alive == 1);
        std::vector<std::unique_ptr<counted>> many(40);
        for (auto& each : many) each = std::make_unique<counted>();
        for (auto& each : many) spares::give(std::move(each));
        CHECK(counted::alive == 32);
    });
    CHECK(counted::alive == 0);
}

TEST_CASE("spares: what is given while the thread ends is freed") {
    in_a_thread([] {
        // The calls are made in the opposite order: this one when the spares are gone.
        static constinit thread_local asyncore::platform::thread_exit_call last{
            [] { spares::give(spares::take()); }};
        REQUIRE(asyncore::platform::call_at_thread_exit(last));
        spares::give(spares::take());
    });
    CHECK(counted::alive == 0);
}
