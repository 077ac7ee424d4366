// Network on TCP. Every operation tries the system call first and waits for the kernel's readiness only on EAGAIN, so
// that a busy connection costs one system call per slab.
#pragma once

#include <memory>

#include "base/net.h"
#include "base/wait.h"

namespace boost::asio {
class io_context;
}

namespace farshore {

class BlockingPool;

struct TcpOptions {
  int send_bytes = 0;  // SO_SNDBUF, SO_RCVBUF; 0: tuned by the kernel
  int receive_bytes = 0;
};

// `files`: for file pages that are not cached; `names`: for name resolution.
std::unique_ptr<Network> make_tcp_network(Reactor& reactor, boost::asio::io_context& io, BlockingPool& files,
                                          BlockingPool& names, TcpOptions options);

}  // namespace farshore
