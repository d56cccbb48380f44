// A channel is copied.
// error: shared_ptr|spawn
#include <asyncore/asyncore.hpp>
void keep(asyncore::dispatcher& channel) {
    asyncore::dispatcher other = channel;  // here
}
