// Byte streams between processes. RealEnv: TCP (and TLS) by Asio. SimEnv: simulated, with faults.
// Executor: the Env's, for all calls. A Stream whose operation timed out or failed is dead: every later call fails.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task.h"
#include "base/time.h"

namespace farshore {

struct Endpoint {
  std::string host;  // a name or an address
  uint16_t port = 0;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
  std::string to_string() const;  // host:port, [host]:port for IPv6
  // "host:port" or "[v6]:port"; kInvalidArgument says what is missing.
  static Result<Endpoint> parse(std::string_view text);
};

// "host:port,host:port", at least one; kInvalidArgument names the bad part.
Result<std::vector<Endpoint>> parse_bootstrap(std::string_view text);

class File;

class Stream {
 public:
  virtual ~Stream() = default;  // closes; no I/O
  // Reads 1..into.size() bytes. With bytes_min > 1 the implementation may (not must) sleep until so many are there.
  // Errors: kConnectionReset (the peer ended it, also in good order), kTimedOut, kClosed, kIo.
  // One read and one write may be under way at once. `into` must stay valid until it resolves.
  virtual Task<Result<size_t>> read_some(MutableBytes into, size_t bytes_min, Deadline deadline) = 0;
  // Writes all pieces, in order. The pieces' memory must stay valid until it resolves.
  virtual Task<Status> write(ConstBytesList pieces, Deadline deadline) = 0;
  // Writes `length` bytes of `file` from `position` (sendfile where the kernel can).
  virtual Task<Status> write_file(File& file, uint64_t position, uint64_t length, Deadline deadline) = 0;
  // Ends both directions; pending and later operations fail with kClosed. Idempotent.
  virtual void close() = 0;
  virtual Endpoint peer() const = 0;
};

// Reads exactly into.size() bytes.
Task<Status> read_exact(Stream& stream, MutableBytes into, Deadline deadline);

class Listener {
 public:
  virtual ~Listener() = default;
  // kClosed after close(). Other errors are transient (e.g. kResourceExhausted: no descriptors): wait and call again.
  virtual Task<Result<std::unique_ptr<Stream>>> accept() = 0;
  virtual Endpoint local() const = 0;  // the port really bound, where 0 was asked for
  virtual void close() = 0;
};

// How connections are made: the Kafka client never sees more than this, so that proxies, TLS, connections dialled from
// the source side and the simulated network plug in here.
class Connector {
 public:
  virtual ~Connector() = default;
  // Errors: kUnavailable (refused, unreachable, unknown host), kTimedOut, kClosed.
  virtual Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, Deadline deadline) = 0;
};

class Network : public Connector {
 public:
  // Port 0: any free one. kAlreadyExists if the port is taken; kInvalidArgument if the host is not this machine's.
  virtual Task<Result<std::unique_ptr<Listener>>> listen(Endpoint at) = 0;
};

}  // namespace farshore
