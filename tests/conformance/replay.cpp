// Runs a replay script with this library: replay [--poller select|poll|epoll|kqueue] SCRIPT > LOG
//
// The twin of replay.py.  `replay [--poller P] [--wide] --batch` reads many scripts from standard input,
// each after a line with its length, and answers each with "STATUS LENGTH" and the log, or what
// went wrong.  Each script has a process of its own, so that a crash (its status is 128 plus the
// signal) does not end the batch.
//
// Exit status: 0 after `end`, 2 for a bad script, 3 for one that could never end, because its peer
// waits for a channel that has no turn; 1 for anything else.
#include <asyncore/asyncore.hpp>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "player.hpp"
#include "script.hpp"

namespace {

struct outcome {
    int status;
    std::string text;  // what went wrong
};

// Plays one script; calls `written` with what was logged, after each directive.
template <class Written>
outcome play(replay::player& playing, std::string_view script, bool wide, Written written) {
    try {
        for (const auto& line : replay::parse(script, wide)) {
            playing.run(line);
            written(playing.take_log());
        }
        playing.finish();
        written(playing.take_log());
        return {0, ""};
    } catch (const replay::bad_script& error) {
        return {2, error.what()};
    } catch (const replay::stuck& error) {
        return {3, error.what()};
    }
}

int play_one(std::istream& input) {
    const std::string script{std::istreambuf_iterator(input), {}};
    replay::player playing(false);
    const auto [status, text] = play(
        playing, script, false, [](const std::string& log) { std::cout << log << std::flush; });
    if (status != 0) std::cerr << text << std::endl;
    std::_Exit(status);  // nothing is closed here: not even by destructors
}

void answer(int status, const std::string& text) {
    std::cout << status << ' ' << text.size() << '\n' << text << std::flush;
}

// A loopback address for each script of a batch, where there is more than one: a closed connection
// keeps its ports busy for a minute, and a long batch has more connections than an address has
// ports.
std::string home_of(unsigned script) {
#ifdef __linux__
    const auto part = [&](unsigned shift, unsigned mask) {
        return std::to_string((script >> shift) & mask);
    };
    return "127." + part(16, 127) + '.' + part(8, 255) + '.' + (script & 255 ? part(0, 255) : "1");
#else
    static_cast<void>(script);
    return "127.0.0.1";
#endif
}

[[noreturn]] void play_in_child(const std::string& script, bool wide, const std::string& home) {
    ::alarm(60);  // nothing of a batch takes that long
    replay::player playing(wide, home);
    std::string log;
    const auto [status, text] =
        play(playing, script, wide, [&](const std::string& more) { log += more; });
    playing.leave_no_trace();
    answer(status, status == 0 ? log : text + '\n');
    std::_Exit(0);
}

int play_batch(bool wide) {
    std::string length;
    for (unsigned count = 1; std::getline(std::cin, length); ++count) {
        std::string script(std::stoul(length), '\0');
        std::cin.read(script.data(), static_cast<std::streamsize>(script.size()));
        const pid_t child = ::fork();
        if (child == 0) play_in_child(script, wide, home_of(count));
        int status = 0;
        if (child < 0 || ::waitpid(child, &status, 0) < 0) return 1;
        if (WIFSIGNALED(status)) answer(128 + WTERMSIG(status), "killed\n");
        else if (status != 0) answer(WEXITSTATUS(status), "died\n");
    }
    return 0;
}

int usage() {
    std::cerr
        << "usage: replay [--poller select|poll|epoll|kqueue] SCRIPT|-|[--wide] --batch > LOG\n";
    return 1;
}

int run(std::vector<std::string> arguments) {
    if (arguments.size() >= 2 && arguments[0] == "--poller") {
        asyncore::socket_map.use(arguments[1]);
        asyncore::socket_map.mechanism();  // throws if there is none of that name
        arguments.erase(arguments.begin(), arguments.begin() + 2);
    }
    const bool wide = arguments.size() == 2 && arguments[0] == "--wide";
    if (wide) arguments.erase(arguments.begin());
    if (arguments.size() != 1 || (wide && arguments[0] != "--batch")) return usage();
    if (arguments[0] == "--batch") return play_batch(wide);
    if (arguments[0] == "-") return play_one(std::cin);
    std::ifstream file(arguments[0], std::ios::binary);
    if (!file) {
        std::cerr << arguments[0] << ": cannot be read\n";
        return 1;
    }
    return play_one(file);
}

}  // namespace

int main(int argc, char** argv) {
    ::setenv("ASYNCORE_EXACT", "1", 0);  // a replay is exact unless the environment says otherwise
    try {
        return run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::cerr << "replay: " << error.what() << '\n';
        return 1;
    }
}
