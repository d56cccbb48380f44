// A hook takes its parameter by value, and `override` is missing: the loop never calls it.
// warning: overloaded-virtual
#include <asynchat/asynchat.hpp>
struct chat : asynchat::async_chat {
    void collect_incoming_data(std::string data) { incoming += data; }  // here
};
