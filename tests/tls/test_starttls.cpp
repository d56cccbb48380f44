#include "ends.hpp"
