// Translator: which offset at the target is the same record as an offset at the source, and back. Asks the target
// cluster alone, each time: an answer is never older than the call. It works when the gateway and the source are gone.
//
// Mirror mode (the target is a Farshore cluster): the offsets are equal, up to the mirror's end while it is active and
// up to the failover offset afterwards.
// Relay mode (the target is any other Kafka): the target gave the records other offsets. The exact map is read from the
// target's topics __farshore_links and __farshore_offsets, and from the last records of the partition itself, which
// need read access (Describe and Read on the three). Which of the two it is, the target says.
//
// In both, past what was mirrored there is no translation (kOutOfRange): the target's records there are other ones, or
// none. An offset is a position here: the end itself translates ("next to come"), a link that is behind does not round
// down. An offset without a record at the other end (a gap, a transaction marker, a foreign record) gives the next
// record there, with `exact` false.
//
// Threads: any; calls wait for each other. It has two threads of its own, with signals blocked.
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
    std::string prefix;  // mirror mode, the link's: a topic is called prefix + name at the target
    std::string link;    // relay mode: the link's name; empty: whichever link has the topic
  };
  struct Position {
    // kUnavailable (call again), kNotMirrored (no link of this target has the topic: check its name and the link's),
    // kOutOfRange (see `limit`), kInvalid (several links have it: set Config::link), kFailed (refused by the target, or
    // written by a later Farshore: the text says which).
    Problem problem;
    std::string topic;
    int32_t partition = -1;
    int64_t offset = -1;
    int64_t limit = -1;  // the highest position that translates now, where the question's offset is from; -1: unknown
    bool exact = true;   // false: no such record at the other end, and `offset` is the next one's
    bool ended = false;  // promoted or failed over: `limit` is final
  };

  // Null, and `problem` is set: kInvalid. Connects to nothing yet.
  static std::unique_ptr<Translator> open(Config config, Problem& problem);
  ~Translator();
  Translator(const Translator&) = delete;
  Translator& operator=(const Translator&) = delete;

  // `topic` is named as at the cluster that the offset is of. Both block for at most `timeout`. The first call of relay
  // mode reads the map; one that did not come to its end in time goes on where it stopped when it is called again.
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
