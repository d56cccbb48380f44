// One replay script at work: its channels, their peers, and the log.
//
// Python: class Replay in replay.py, in the same order.
#pragma once

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>
#include <asyncore/platform/unique_fd.hpp>
#include <asyncore/turn.hpp>

#include <deque>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <netinet/in.h>

#include "script.hpp"

namespace replay {

/// What `raise` and `push_failing` raise.
struct boom {};

/// Python's KeyError: an action on a channel that is not there (yet).
struct no_such_channel {};

/// Python's AttributeError: an action that this kind of channel does not have.
struct no_such_method {};

/// The peer's call would never return, for the channel it waits for has no turn.
class stuck : public std::runtime_error {
public:
    explicit stuck(const std::string& name)
        : std::runtime_error("the peer of " + name + " waits for ever") {}
};

/// Bytes as the log writes them.
std::string quote(std::string_view bytes);

/// The exception being handled, as the log calls it.
std::string kind_of_exception();

class player {
public:
    /// `wide`: the script is of the wide grammar.
    /// `home`: the loopback address of all its TCP sockets.
    explicit player(bool wide, std::string home = "127.0.0.1")
        : wide_(wide), home_(std::move(home)) {}
    player(const player&) = delete;
    player& operator=(const player&) = delete;

    /// Throws: stuck.
    void run(const directive& line);
    void finish() { log("end"); }

    /// What was logged since the last call.
    std::string take_log() { return std::exchange(log_, {}); }

    /// Lets every TCP connection end without a TIME_WAIT, when the process does.
    void leave_no_trace();

    // For the channels.

    void log(const std::string& line) { log_ += line + '\n'; }
    /// Runs the next action that an `on` left for this event.
    void happened(const std::string& name, const std::string& event);
    bool awaited(const std::string& name, const std::string& event) const;
    bool logs_predicates() const { return logs_predicates_; }
    /// Makes the channel that was expected next.  Returns: its name.
    std::string accepted(const std::string& listener, asyncore::platform::socket sock);

private:
    using unique_fd = asyncore::platform::unique_fd;

    void carry_out(const directive& line);
    void join_network();
    void settle();

    void make_channel(const directive& line);
    void listen(const directive& line);
    void knock(const directive& line);
    void dial(const directive& line);
    void feed(const directive& line);
    void urgent(const directive& line);
    void drain(const directive& line);
    bool under_way(const std::string& name);
    void shut(const directive& line);
    void hangup(const directive& line);
    void reset(const directive& line);
    void turn(std::size_t times);
    void loop(std::size_t count);
    void close_all();
    void state(const std::string& name);

    template <class Call>
    void attempt(const std::string& whose, Call call);
    void broken(const std::string& name);
    asyncore::dispatcher& find(const std::string& name);
    int peer(const std::string& name);

    template <class Kind, class WideKind, class... Arguments>
    std::shared_ptr<Kind> spawn(const std::string& name, Arguments&&... arguments);
    std::shared_ptr<asynchat::async_chat> spawn_chat(const std::string& name);
    std::shared_ptr<asynchat::async_chat> spawn_chat(const std::string& name,
                                                     asyncore::platform::socket sock);
    void nested();
    void make(const std::string& name);
    void reuse(asyncore::dispatcher& channel, const std::string& name);
    void erase(asyncore::dispatcher& channel);

    void act(const std::string& name, const action& wanted);

    const bool wide_;
    bool logs_predicates_ = false;
    const std::string home_;
    std::string log_;
    std::map<std::string, std::shared_ptr<asyncore::dispatcher>> channels_;  // closed channels too
    std::map<std::string, unique_fd> peers_;
    std::map<std::string, sockaddr_in> addresses_;  // of listeners
    std::map<std::string, std::deque<std::string>>
        expected_;  // by listener: the names of the channels that it will accept
    std::map<std::pair<std::string, std::string>, std::deque<action>> hooks_;
    std::vector<unique_fd> others_;  // sockets that only have to stay open
    unique_fd echo_;                 // of settle(), once there is TCP in the script
    asyncore::delivery delivery_ = asyncore::delivery::poll;
};

}  // namespace replay
