// A child process: its pipes as sockets for channels, and its end as a hook.  Python: subprocess.Popen.
#pragma once

#include <asyncore/platform/socket.hpp>
#include <asyncore/signals/signals.hpp>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace asyncore {

/// Runs a program.  While the program runs, this channel is in its map, and catches SIGCHLD.
///
/// Give the pipes to channels: `spawn<reader>(std::move(child.output))`.  handle_exit() and the end of
/// the output come in either order.
class process : public signals {
public:
    /// What a standard descriptor of the child can be.  The other choice is an open descriptor of this
    /// process.
    static constexpr int inherited = -4, PIPE = -1, STDOUT = -2, DEVNULL = -3;

    /// Python: the keyword arguments of Popen.
    struct options {
        int input = inherited;                                       // Python: stdin
        int output = inherited;                                      // stdout
        int errors = inherited;                                      // stderr; may be STDOUT
        std::optional<std::vector<std::string>> env = std::nullopt;  // "NAME=value"
        channel_map* map = nullptr;
    };

    /// Starts the program `args[0]`, which is searched for in PATH.  In the new program, every descriptor
    /// that this library opened is closed, SIGPIPE ends the program, and no signal is blocked.
    /// Throws: std::system_error if there is no such program, std::invalid_argument for no args.
    explicit process(const std::vector<std::string>& args) : process(args, options()) {}
    process(const std::vector<std::string>& args, const options& how);
    /// A program that still runs goes on.  After its end, it is reaped when another `process` starts or
    /// hears of a child.
    ~process() override;

    int pid() const noexcept { return pid_; }
    /// Empty while the program runs.  Then its exit status; or, negative, the number of the signal that
    /// ended it; or 255 if other code of this process took the status.
    std::optional<int> returncode;
    /// This process's end of each pipe.  The end of a pipe that the options did not ask for is empty.
    platform::socket input, output, errors;

    /// Called when the program has ended and is reaped.  By default this does nothing.
    virtual void handle_exit(int status);
    /// Does nothing once the program has ended.
    /// Throws: std::system_error.
    void send_signal(int signal);
    void terminate() { send_signal(SIGTERM); }
    void kill() { send_signal(SIGKILL); }

    void handle_signal(int signal) override;
    /// Leaves the map: handle_exit() is not called any more.  The program is not told.
    void close() override;

private:
    ::pid_t pid_ = 0;
};

}  // namespace asyncore
