// MirrorWatch: asks a target cluster about its mirrors or relayed topics, and probes whether a source answers. It does
// so on a thread of its own. Threads: any, for all calls.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "offsets/client/api.h"
#include "offsets/client/target/target_view.h"

namespace farshore::client {

struct MirrorWatchOptions {
  std::string target, source;       // host:port[,host:port...]; source empty: none is probed
  std::vector<std::string> topics;  // by their names at the target
  bool periodic = true;             // asks once a second; false: only on demand
};

class MirrorWatch {
 public:
  // Null, and `problem` is set: kInvalid (an address).
  static std::unique_ptr<MirrorWatch> open(const MirrorWatchOptions& options, Problem& problem);
  ~MirrorWatch();  // waits for the thread

  std::shared_ptr<const TargetView> view() const;  // never null
  // When the source last answered: time since the epoch of std::chrono::steady_clock; zero: never.
  std::chrono::milliseconds source_seen() const;
  void ask_now();
  // Asks about `topic`, too, from now on. Returns the answer to a question that was sent after this call began; null:
  // none within `timeout`.
  std::shared_ptr<const TargetView> fresh(const std::string& topic, std::chrono::milliseconds timeout);

 private:
  class Impl;
  explicit MirrorWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore::client
