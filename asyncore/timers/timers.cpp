#include <asyncore/timers/timers.hpp>
