// import asyncore
#pragma once

#if __cplusplus <= 201703L
#error "this library needs C++20: compile with -std=c++20"
#else

#include <asyncore/dispatcher.hpp>
#include <asyncore/dispatcher_with_send.hpp>
#include <asyncore/errors.hpp>
#include <asyncore/file_dispatcher.hpp>
#include <asyncore/loop.hpp>

#endif
