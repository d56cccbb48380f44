// std::make_shared() in place of spawn(): there is no pointer to give away.
// run: spawn\(\) did not make this channel
#include <asyncore/asyncore.hpp>
struct handler : asyncore::dispatcher {
    std::shared_ptr<handler> me = self(*this);
};
int main() { std::make_shared<handler>(); }
