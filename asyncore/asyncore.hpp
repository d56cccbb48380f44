// import asyncore
#pragma once

#include <asyncore/dispatcher.hpp>
#include <asyncore/dispatcher_with_send.hpp>
#include <asyncore/errors.hpp>
#include <asyncore/file_dispatcher.hpp>
#include <asyncore/loop.hpp>
