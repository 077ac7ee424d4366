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
// Threads: any, side by side: a long call does not hold up a short one, unless both need the same part of a
// translation. It runs a thread of its own, with all signals blocked.
//
// Header only, on top of farshore.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "farshore/problem.h"

namespace farshore {

class Translator {
 public:
  struct Config {
    std::string target;  // host:port[,host:port...]
    std::string prefix;  // mirror mode, of the link: a topic is called prefix + name at the target
    std::string link;    // relay mode: the link's name; empty: the only link that has the topic
    // As librdkafka's: security.protocol (plaintext, sasl_plaintext), sasl.mechanism (PLAIN, SCRAM-SHA-256,
    // SCRAM-SHA-512), sasl.username, sasl.password. Others are ignored.
    std::map<std::string, std::string> properties;
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
  static std::unique_ptr<Translator> open(const Config& config, Problem& problem) {
    detail::Config names;
    problem = Problem();
    names.set("target", config.target, problem);
    names.set("prefix", config.prefix, problem);
    names.set("link", config.link, problem);
    for (const auto& [name, value] : config.properties) names.set(name, value, problem);
    if (problem) return nullptr;
    farshore_translator* handle = farshore_translator_open_config(names.handle);
    if (!handle) problem = detail::problem_of(farshore_last_error_result());
    return handle ? std::unique_ptr<Translator>(new Translator(handle)) : nullptr;
  }
  ~Translator() { farshore_translator_close(handle_); }
  Translator(const Translator&) = delete;
  Translator& operator=(const Translator&) = delete;

  // `topic` is the name at the cluster that the offset belongs to. Both calls block for at most `timeout`. In relay
  // mode the first call reads the whole translation of the partition. If it times out, the next call continues where it
  // stopped.
  Position to_target(const std::string& topic, int32_t partition, int64_t source_offset,
                     std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    return position(partition, farshore_to_target(handle_, topic.c_str(), partition, source_offset,
                                                  detail::milliseconds_of(timeout)));
  }
  Position to_source(const std::string& topic, int32_t partition, int64_t target_offset,
                     std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    return position(partition, farshore_to_source(handle_, topic.c_str(), partition, target_offset,
                                                  detail::milliseconds_of(timeout)));
  }

 private:
  explicit Translator(farshore_translator* handle) : handle_(handle) {}

  Position position(int32_t partition, int64_t result) const {
    Position out;
    out.problem = detail::problem_of(result);
    out.limit = farshore_translation_limit(handle_);
    out.ended = farshore_translation_ended(handle_) != 0;
    if (out.problem) return out;
    out.topic = farshore_translated_topic(handle_);
    out.partition = partition;
    out.offset = result;
    out.exact = farshore_translated_exactly(handle_) != 0;
    return out;
  }

  farshore_translator* const handle_;
};

}  // namespace farshore
