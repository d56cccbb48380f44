// A class has a member with the name of a member of its base, which the library does not see.
// error: dispatcher::connected[^$]*rename it
#include <asyncore/asyncore.hpp>
class client : public asyncore::dispatcher {
    bool connected = false;

public:
    void handle_connect() override { connected = true; }
};
int main() {
    asyncore::spawn<client>();  // here
}
