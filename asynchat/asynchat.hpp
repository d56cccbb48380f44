// import asynchat
#pragma once

#if __cplusplus <= 201703L
#error "this library needs C++20: compile with -std=c++20"
#else

#include <asynchat/async_chat.hpp>
#include <asynchat/fifo.hpp>
#include <asynchat/producer.hpp>
#include <asynchat/terminator.hpp>

#endif
