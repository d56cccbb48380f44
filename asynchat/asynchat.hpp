// import asynchat
#pragma once

#include <asynchat/async_chat.hpp>
#include <asynchat/fifo.hpp>
#include <asynchat/producer.hpp>
#include <asynchat/terminator.hpp>
