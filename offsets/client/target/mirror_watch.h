// MirrorWatch: asks a target cluster about its mirrors or relayed topics, and probes whether a source answers. It does
// so on a thread of its own: once a second, and more seldom while a cluster does not answer. It asks for the topics
// that it was given and for nothing else. Threads: any, for all calls.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "offsets/client/problem.h"
#include "offsets/client/target/cluster_address.h"
#include "offsets/client/target/target_view.h"

namespace farshore::client {

struct MirrorWatchOptions {
  ClusterAddress target, source;
  std::vector<std::string> topics;  // by their names at the target
};

// The last answer of the source.
struct SourceView {
  std::chrono::milliseconds seen{0};  // since the epoch of std::chrono::steady_clock; zero: never
  std::string problem;                // why the last probe failed; empty: it succeeded
  bool refused = false;               // in a way that only a person can repair (credentials, another cluster)
  int16_t kafka_code = 0;             // of the broker that refused; 0: none
};

class MirrorWatch {
 public:
  // Null, and `problem` is set: kInvalid (an address, or properties that our connections cannot follow).
  static std::unique_ptr<MirrorWatch> open(const MirrorWatchOptions& options, Problem& problem);
  ~MirrorWatch();  // waits for the thread

  std::shared_ptr<const TargetView> view() const;  // never null
  SourceView source() const;
  // The source is not probed any more.
  void source_is_over();

 private:
  class Impl;
  explicit MirrorWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore::client
