// The compiler is asked for C++17.
// error: C\+\+20
// flags: -std=c++17
#include <asyncore/asyncore.hpp>  // here
