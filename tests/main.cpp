// The main() of every test program.  Around each test case it compares what the process has, and it
// counts the turns that made no progress.  A case fails, by name, that
//
// - leaves memory, a descriptor or a thread.  Such a case runs up to six times more, and fails if it does so
//   each time: what a process or a thread keeps for the next use is no leak (the global map, the
//   descriptor in reserve, spare containers, static objects);
// - closes a descriptor that was open before;
// - has more than `most_fruitless` waits without progress in a row.
//
// check_main.py shows that each check can fail.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "usage.hpp"

#include <algorithm>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

/// A channel that is always writable, and timers that are always due, are no faults for so many turns.
constexpr long most_fruitless = 1000;

struct failure {
    std::string name, place, why;
};
std::vector<failure> leaks;    // for another run to confirm
std::vector<failure> certain;  // the rest
support::waits total;
std::string longest;  // the case with the longest row of fruitless waits

/// Compares before and after each case.
struct comparison : doctest::IReporter {
    explicit comparison(const doctest::ContextOptions&) {}

    void test_case_start(const doctest::TestCaseData& data) override {
        case_ = &data;
        support::let_go();
        descriptors_ = support::descriptors_now();
        threads_ = support::threads_now(threads_);
        support::waits_since_last_call();
        allocations_ = support::allocations_now();
    }

    void test_case_end(const doctest::CurrentTestCaseStats&) override {
        free_doctests_memory();
        support::let_go();
        const auto allocations = support::allocations_now() - allocations_;
        compare_waits(support::waits_since_last_call());
        if (allocations > 0) note(leaks, std::to_string(allocations) + " allocations were left");
        const auto threads = support::threads_now(threads_);
        if (threads > threads_)
            note(leaks, std::to_string(threads - threads_) + " threads were left");
        const auto now = support::descriptors_now();
        for (const auto& [fd, what] : now)
            if (!descriptors_.contains(fd))
                note(leaks, "descriptor " + std::to_string(fd) + " was left: " + what);
        for (const auto& [fd, what] : descriptors_) {
            const auto same = now.find(fd);
            if (same == now.end() || same->second != what)
                note(certain, "descriptor " + std::to_string(fd) + " was closed: " + what);
        }
    }

    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}

private:
    /// Frees what doctest 2.4.9 notes about subcases.  It frees that itself when the next case begins.
    static void free_doctests_memory() {
        auto& state = *doctest::detail::g_cs;
        const auto free = [](auto& container) { std::exchange(container, {}); };
        free(state.fullyTraversedSubcases);
        free(state.nextSubcaseStack);
        free(state.subcaseStack);
        free(state.stringifiedContexts);
    }
    void compare_waits(support::waits waits) {
        total.all += waits.all;
        if (waits.fruitless > most_fruitless)
            note(certain, std::to_string(waits.fruitless) + " waits in a row made no progress");
        if (waits.fruitless <= total.fruitless) return;
        total.fruitless = waits.fruitless;
        longest = case_->m_name;
    }
    void note(std::vector<failure>& failures, const std::string& why) {
        const auto place = std::string(case_->m_file.c_str()) + ":" + std::to_string(case_->m_line);
        failures.push_back({case_->m_name, place, why});
    }

    const doctest::TestCaseData* case_ = nullptr;
    std::map<int, std::string> descriptors_;
    std::size_t threads_ = 1;
    long allocations_ = 0;
};

REGISTER_LISTENER("comparison", 1, comparison);

/// Runs the cases again that left something.  `leaks` has then what they leave again.
void run_again(int argc, char** argv) {
    std::set<std::string> names;
    for (const auto& each : leaks) names.insert(each.name);
    leaks.clear();
    const auto certain_before = certain;
    for (auto name : names) {
        std::replace(name.begin(), name.end(), ',', '?');  // a comma separates patterns
        doctest::Context again(argc, argv);
        again.clearFilters();
        again.addFilter("test-case", name.c_str());
        again.addFilter("reporters", "none");  // they keep what they print
        again.run();
    }
    certain = certain_before;
    std::erase_if(leaks, [&](const failure& each) { return !names.contains(each.name); });
}

}  // namespace

int main(int argc, char** argv) {
    doctest::Context context(argc, argv);
    int status = context.run();
    if (context.shouldExit()) return status;
    // A thread keeps up to 32 spare containers of a kind, and a case may add a few each time.
    for (int i = 0; i < 6 && !leaks.empty(); ++i) run_again(argc, argv);
    for (const auto* failures : {&leaks, &certain})
        for (const auto& [name, place, why] : *failures) {
            std::cout << place << ": ERROR: in the case \"" << name << "\", " << why << "\n";
            status = 1;
        }
    std::cout << "[usage] " << total.all << " waits, at most " << total.fruitless
              << " in a row without progress";
    if (total.fruitless > 0) std::cout << " (" << longest << ")";
    std::cout << std::endl;
    return status;
}
