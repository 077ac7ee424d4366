// Translator: which offset at the target is the same record as an offset at the source, and back. Asks the target
// cluster alone (MirrorControl describe), each time: an answer is never older than the call.
//
// Mirror mode: the offsets are equal, up to the mirror's end while it is active and up to the failover offset
// afterwards; past that there is no translation (kOutOfRange), since the target's records there are other ones, or
// none. An offset is a position here: the end itself translates ("next to come"), a mirror that is behind does not
// round down. Relay mode gives the target other offsets; its mapping answers the same two calls, and is refused here
// until it exists: a topic that is no mirror gives kNotMirrored.
//
// Threads: any; calls wait for each other. It has one thread of its own, with signals blocked.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "offsets/client/api.h"

namespace farshore {

class FARSHORE_API Translator {
 public:
  struct Config {
    std::string target;  // bootstrap, host:port[,host:port...]; plain text
    std::string prefix;  // the link's: a topic is called prefix + name at the target
  };
  struct Position {
    Problem problem;  // kUnavailable, kNotMirrored, kOutOfRange
    std::string topic;
    int32_t partition = -1;
    int64_t offset = -1;
    int64_t limit = -1;  // the highest position that translates now
    bool ended = false;  // the mirror was promoted or failed over: `limit` is final
  };

  // Null, and `problem` is set: kInvalid. Connects to nothing yet.
  static std::unique_ptr<Translator> open(Config config, Problem& problem);
  ~Translator();
  Translator(const Translator&) = delete;
  Translator& operator=(const Translator&) = delete;

  // `topic` is named as at the cluster that the offset is of. Both block for at most `timeout`.
  Position to_target(const std::string& topic, int32_t partition, int64_t source_offset,
                     std::chrono::milliseconds timeout = std::chrono::seconds(10));
  Position to_source(const std::string& topic, int32_t partition, int64_t target_offset,
                     std::chrono::milliseconds timeout = std::chrono::seconds(10));

 private:
  class Impl;
  explicit Translator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore
