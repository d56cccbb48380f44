// In Python an address is a tuple.
// error: addr\[0\] is host\(\), addr\[1\] is port\(\)
#include <asyncore/asyncore.hpp>
#include <string>
std::string host_of(const asyncore::address& addr) {
    return addr[0];  // here
}
