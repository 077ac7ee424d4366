// MirrorWatch: what a target cluster says about its mirrors, asked by a thread of its own; and whether a source
// answers. No Asio here: the thread's Env is behind the pointer. All calls from any thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "offsets/client/failover_rule.h"

namespace farshore::client {

struct MirrorWatchOptions {
  std::string target, source;       // bootstrap; no source: none is probed
  std::vector<std::string> topics;  // by their names at the target
  bool periodic = true;             // once a second; else only when asked
};

class MirrorWatch {
 public:
  // Null, and `problem` is set: kInvalid (an address).
  static std::unique_ptr<MirrorWatch> open(const MirrorWatchOptions& options, Problem& problem);
  ~MirrorWatch();  // waits for the thread

  std::shared_ptr<const TargetView> view() const;  // never null
  // When the source answered last, on the steady clock; zero: never.
  std::chrono::milliseconds source_seen() const;
  void ask_now();
  // Also asks about `topic` from now on; returns a view that was asked for after this call. Null: not within `timeout`.
  std::shared_ptr<const TargetView> fresh(const std::string& topic, std::chrono::milliseconds timeout);

 private:
  class Impl;
  explicit MirrorWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore::client
