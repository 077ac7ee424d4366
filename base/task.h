// Task<T>: a coroutine of ours. Executor: any_io_executor, so that the same code runs on Asio and in the simulator.
//
// Coroutine rules (proven traps of g++ 12, checked by tests/style): parameters by value, or by a reference whose owner
// provably awaits to the end; never an aggregate temporary in a co_await argument (name it, then move it in); never
// co_await inside ?: or a range-for initialiser; never call a coroutine lambda in the co_spawn argument; no
// `task || timer` (operations take a Deadline instead).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace farshore {

namespace asio = boost::asio;

using Executor = asio::any_io_executor;
template <class T = void>
using Task = asio::awaitable<T, Executor>;

}  // namespace farshore
