// Translator: translates an offset at the source into the offset of the same record at the target, and back. Each call
// asks the target cluster, so an answer is never older than the call. It works when the gateway and the source are
// gone.
//
// Mirror mode (the target is a Farshore cluster): the offsets are equal, up to the mirror's end while it is active, and
// up to the failover offset afterwards. Relay mode (the target is another Kafka): the target gave the records other
// offsets. The exact translation is read from the target's topics __farshore_links and __farshore_offsets, and from the
// last records of the partition itself. This needs Describe and Read on all three. The target says which of the two
// modes applies.
//
// In both modes, offsets above what was mirrored have no translation (kOutOfRange): the target has other records there,
// or none. An offset is a position here: the end itself translates (as the next record to come); if the link is behind,
// the answer is not rounded down. If an offset has no record at the other cluster (a gap, a transaction marker, another
// producer's record), the next record there is given, with `exact` false.
//
// Threads: any; calls wait for each other. It runs two threads of its own, with all signals blocked.
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
    std::string target;  // host:port[,host:port...]; plain text
    std::string prefix;  // mirror mode, of the link: a topic is called prefix + name at the target
    std::string link;    // relay mode: the link's name; empty: the only link that has the topic
  };
  struct Position {
    // kUnavailable: call again. kNotMirrored: no link of this target has the topic; check its name and the link's.
    // kOutOfRange: see `limit`. kInvalid: several links have the topic; set Config::link. kFailed: the target refused,
    // or the data was written by a later release; the text says which.
    Problem problem;
    std::string topic;
    int32_t partition = -1;
    int64_t offset = -1;
    int64_t limit = -1;  // the highest offset that translates now, in the numbering of the question; -1: unknown
    bool exact = true;   // false: the other cluster has no such record; `offset` is the next one
    bool ended = false;  // promoted or failed over: `limit` is final
  };

  // Returns null and sets `problem` on failure: kInvalid. Does not connect yet.
  static std::unique_ptr<Translator> open(Config config, Problem& problem);
  ~Translator();
  Translator(const Translator&) = delete;
  Translator& operator=(const Translator&) = delete;

  // `topic` is the name at the cluster that the offset belongs to. Both calls block for at most `timeout`. In relay
  // mode the first call reads the whole translation of the partition. If it times out, the next call continues where it
  // stopped.
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
