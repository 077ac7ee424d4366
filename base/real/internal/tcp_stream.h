// A TCP connection as a Stream: system calls first, a wait only when they would block.
#pragma once

#include <memory>

#include "base/net.h"
#include "base/real/internal/socket.h"
#include "base/real/pool.h"

namespace farshore {

// `files`: threads that read cold parts of a file before sendfile() sends them.
std::unique_ptr<Stream> make_tcp_stream(std::shared_ptr<Socket> socket, BlockingPool& files, Endpoint peer);

}  // namespace farshore
