#include <asyncore/signals/process.hpp>

#include <asyncore/errors.hpp>
#include <asyncore/file_dispatcher.hpp>
#include <asyncore/platform/error.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

// NOLINTNEXTLINE(readability-redundant-declaration): <unistd.h> of macOS does not declare it.
extern char** environ;

namespace asyncore {

using platform::unique_fd;

namespace {

/// Throws the error that a function of posix_spawn(3) returned.
void check(int error, const std::string& what) {
    if (error != 0) throw platform::os_error(error, what);
}

/// This process's end of a pipe.  Its other end counts as a peer, so a dispatcher is connected.
class pipe_end : public file_wrapper {
public:
    using file_wrapper::file_wrapper;
    platform::address getpeername() const override { return {""}; }
};

struct pipe_ends {
    pipe_ends() {
        std::array<int, 2> made{};
#ifdef __APPLE__
        if (::pipe(made.data()) != 0) platform::throw_errno("pipe");
        for (const int end : made) ::fcntl(end, F_SETFD, FD_CLOEXEC);
#else
        if (::pipe2(made.data(), O_CLOEXEC) != 0) platform::throw_errno("pipe2");
#endif
        read = unique_fd(made[0]);
        write = unique_fd(made[1]);
    }
    unique_fd read, write;
};

/// The redirections and attributes with which a new program is started.
class launch {
public:
    launch() {
        check(::posix_spawn_file_actions_init(&actions_), "posix_spawn_file_actions_init");
        const int error = ::posix_spawnattr_init(&attributes_);
        if (error != 0) ::posix_spawn_file_actions_destroy(&actions_);
        check(error, "posix_spawnattr_init");
    }
    ~launch() {
        ::posix_spawnattr_destroy(&attributes_);
        ::posix_spawn_file_actions_destroy(&actions_);
    }
    launch(const launch&) = delete;
    launch& operator=(const launch&) = delete;

    /// Gives the child the descriptor `given` as its descriptor `standard`.  Returns this process's end
    /// of a pipe, or nothing.
    platform::socket redirect(int standard, int given);
    ::pid_t run(const std::vector<std::string>& args,
                const std::optional<std::vector<std::string>>& env);

private:
    void use(int standard, int source);

    ::posix_spawn_file_actions_t actions_{};
    ::posix_spawnattr_t attributes_{};
    std::vector<unique_fd> sources_;
};

platform::socket launch::redirect(int standard, int given) {
    if (given == process::inherited) return {};
    if (given == process::PIPE) {
        pipe_ends ends;
        const bool reads = standard == STDIN_FILENO;  // the child
        use(standard, (reads ? ends.read : ends.write).get());
        const int ours = (reads ? ends.write : ends.read).get();
        platform::socket end(std::make_unique<pipe_end>(ours));
        end.setblocking(false);
        return end;
    }
    if (given == process::DEVNULL)
        check(::posix_spawn_file_actions_addopen(&actions_, standard, "/dev/null", O_RDWR, 0),
              "/dev/null");
    else if (given == process::STDOUT && standard == STDERR_FILENO)
        check(::posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO), "dup2");
    else if (given >= 0) use(standard, given);
    else throw std::invalid_argument("no descriptor: " + std::to_string(given));
    return {};
}

/// Gives the child a copy of `source`.  The copy has a number of 3 or more, since another redirection
/// replaces 0, 1 and 2.  exec(3) closes it.
void launch::use(int standard, int source) {
    sources_.emplace_back(::fcntl(source, F_DUPFD_CLOEXEC, 3));
    if (sources_.back().get() < 0) platform::throw_errno("dup");
    check(::posix_spawn_file_actions_adddup2(&actions_, sources_.back().get(), standard), "dup2");
}

/// The words as exec(3) wants them.
std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> all;
    all.reserve(words.size() + 1);
    for (auto& word : words) all.push_back(word.data());
    all.push_back(nullptr);
    return all;
}

::pid_t launch::run(const std::vector<std::string>& args,
                    const std::optional<std::vector<std::string>>& env) {
    sigset_t none, sigpipe;
    sigemptyset(&none);
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &sigpipe);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    auto words = args;
    auto settings = env.value_or(std::vector<std::string>());
    const auto environment = pointers_to(settings);
    ::pid_t pid = 0;
    check(::posix_spawnp(&pid, args.front().c_str(), &actions_, &attributes_,
                         pointers_to(words).data(), env ? environment.data() : environ),
          args.front());
    return pid;
}

/// The child processes that still ran when their object was closed.  Both variables are never destroyed.
std::mutex& guard = *new std::mutex;
std::vector<::pid_t>& abandoned = *new std::vector<::pid_t>;

void abandon(::pid_t pid) {
    const std::lock_guard lock(guard);
    abandoned.push_back(pid);
}

void reap_abandoned() {
    const std::lock_guard lock(guard);
    std::erase_if(abandoned, [](::pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
}

}  // namespace

process::process(const std::vector<std::string>& args, const options& how)
    : signals({SIGCHLD}, how.map) {
    if (args.empty()) throw std::invalid_argument("a process needs a program");
    reap_abandoned();
    launch with;
    input = with.redirect(STDIN_FILENO, how.input);
    output = with.redirect(STDOUT_FILENO, how.output);
    errors = with.redirect(STDERR_FILENO, how.errors);
    pid_ = with.run(args, how.env);
}

process::~process() { process::close(); }

void process::close() {
    signals::close();
    if (pid_ != 0 && !returncode) abandon(std::exchange(pid_, 0));
}

void process::send_signal(int signal) {
    if (pid_ == 0 || returncode) return;  // the number may be another process's
    if (::kill(pid_, signal) != 0) platform::throw_errno("kill");
}

/// The system merges signals, so one SIGCHLD may stand for several children.  So this asks about the
/// object's own child, whatever child the signal was for.
void process::handle_signal(int) {
    reap_abandoned();
    int status = 0;
    const auto ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == 0) return;
    if (ended < 0) returncode = 255;
    else returncode = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    signals::close();
    handle_exit(*returncode);
}

void process::handle_exit(int) {}

}  // namespace asyncore
