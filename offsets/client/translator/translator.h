// Translator: translates an offset at the source into the offset of the same record at the target, and back. Each call
// asks the target cluster, so an answer is never older than the call. The guarantees are those of the public header
// farshore/translator.h.
// Threads: any, side by side. It runs one thread of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "offsets/client/problem.h"

namespace farshore::client {

struct TranslatorConfig {
  std::string target;  // host:port[,host:port...]
  std::string prefix;  // mirror mode, of the link: a topic is called prefix + name at the target
  std::string link;    // relay mode: the link's name; empty: the only link that has the topic
  std::map<std::string, std::string> properties;  // security.protocol, sasl.*: as librdkafka's
};

class Translator {
 public:
  struct Position {
    Problem problem;
    std::string topic;
    int32_t partition = -1;
    int64_t offset = -1;
    int64_t limit = -1;  // the highest offset that translates now, in the numbering of the question; -1: unknown
    bool exact = true;   // false: the other cluster has no such record; `offset` is the next one
    bool ended = false;  // promoted or failed over: `limit` is final
  };

  // Null, and `problem` is set: kInvalid. Does not connect yet.
  static std::unique_ptr<Translator> open(TranslatorConfig config, Problem& problem);
  ~Translator();
  Translator(const Translator&) = delete;
  Translator& operator=(const Translator&) = delete;

  // `topic` is the name at the cluster that the offset belongs to.
  Position to_target(const std::string& topic, int32_t partition, int64_t source_offset,
                     std::chrono::milliseconds timeout);
  Position to_source(const std::string& topic, int32_t partition, int64_t target_offset,
                     std::chrono::milliseconds timeout);

 private:
  class Impl;
  explicit Translator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace farshore::client
