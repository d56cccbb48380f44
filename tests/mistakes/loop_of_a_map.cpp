// A map is given by its name, where the library takes a pointer.
// error: \.map = &map
#include <asyncore/asyncore.hpp>
int main() {
    asyncore::channel_map map;
    asyncore::loop(30.0, false, map);  // here
}
