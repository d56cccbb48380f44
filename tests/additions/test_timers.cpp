#include "../channels.hpp"

#include <asyncore/timers/timers.hpp>

#include <doctest/doctest.h>
