// Gives the servers a choice that they do not have: with FAULTS_DELIVERY=poll in the environment, every
// loop delivers its events as asyncore.poll2 does.  The linker's --wrap sends the servers' calls of
// asyncore::loop here.
#include <asyncore/loop.hpp>

#include <cstdlib>
#include <string_view>

#define LOOP "_ZN8asyncore4loopENS_8platform7timeoutEbPNS_11channel_mapESt8optionalIlE"

namespace faults {

using asyncore::platform::timeout;

void real_loop(timeout limit, bool use_poll, asyncore::channel_map* map,
               std::optional<long> count) asm("__real_" LOOP);
void loop(timeout limit, bool use_poll, asyncore::channel_map* map,
          std::optional<long> count) asm("__wrap_" LOOP);

void loop(timeout limit, bool use_poll, asyncore::channel_map* map, std::optional<long> count) {
    const char* const delivery = std::getenv("FAULTS_DELIVERY");
    real_loop(limit, use_poll || (delivery && delivery == std::string_view("poll")), map, count);
}

}  // namespace faults
