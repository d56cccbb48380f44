// A map is given by its name, where the library takes a pointer.
// error: &map
#include <asyncore/asyncore.hpp>
int main() {
    asyncore::channel_map map;
    asyncore::dispatcher channel(asyncore::socket_t(), map);  // here
}
