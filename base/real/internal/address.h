// Socket addresses and names.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include "base/net.h"
#include "base/real/pool.h"

namespace farshore {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

Endpoint to_endpoint(const sockaddr_storage& address);
// The text for errno `number`.
std::string system_reason(int number);
// The addresses of a host name, in the resolver's order. A numeric address is not looked up; a name is, on a thread of
// `names`. kUnavailable: the host is not known, or the resolver failed.
Task<Result<std::vector<Address>>> resolve(BlockingPool& names, Endpoint endpoint, Deadline deadline);

}  // namespace farshore
