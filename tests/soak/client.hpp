// One client: a connection that says and hears what its talk tells, in its manner.
#pragma once

#include "chaos.hpp"
#include "talk.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace chaos {

/// Where all clients of a run count.
struct tally {
    std::uint64_t connections = 0;  // that have ended
    std::uint64_t bytes_said = 0;
    std::uint64_t bytes_checked = 0;
    std::uint64_t per_manner[manners] = {};
};

class client {
public:
    /// Begins to connect.
    client(std::uint64_t number, manner how, std::unique_ptr<talk> what, dice choose,
           std::uint16_t port, const std::string& from, tally& all);
    ~client();
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    int fd() const { return fd_; }
    /// What epoll has to watch the socket for.
    unsigned interest() const;
    /// Whether tick() has to be called 50 times a second.
    bool needs_ticks() const;

    /// Takes what epoll has reported.
    /// Returns: whether the client goes on.
    /// Throws: mismatch if the outcome is not allowed.
    bool serve(unsigned events);
    bool tick();
    /// When it said or heard something last.
    clock::time_point last() const { return last_; }

    std::string name() const;

private:
    bool connected();
    bool say(std::size_t most);
    bool say_urgent();
    bool listen(std::size_t most);
    bool after_saying();
    bool after_hearing();
    bool at_end_of_file();
    bool broken(int error);
    bool end();
    void close(bool with_reset);
    bool reads() const;

    std::uint64_t number_;
    manner how_;
    std::unique_ptr<talk> talk_;
    dice choose_;
    tally& all_;
    int fd_ = -1;
    bool connecting_ = true;
    bool half_closed_ = false;
    bool urgent_said_ = false;
    std::size_t turning_point_;  // after so many bytes the client does what its manner tells
    bool is_certain_;            // the client must hear all of the answer
    std::uint64_t heard_ = 0;
    clock::time_point began_ = clock::now(), last_ = began_;
};

}  // namespace chaos
