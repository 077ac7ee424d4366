// FailoverConsumer: a consumer group member that reads from a source cluster, and continues at the target cluster once
// the link's mirrors there were promoted or failed over. It uses librdkafka. Only the target is asked about the
// failover, so it works when the source and the gateway are gone. A Farshore target (mirror links) is asked about its
// mirrors. At another Kafka (relay links) it reads the topics __farshore_links and __farshore_offsets, which needs
// Describe and Read on both and on the consumed topics. The target says which of the two it is; the application need
// not know.
//
// Guarantees:
//   * Within one process no record is delivered twice, and no mirrored record is skipped: each partition continues at
//     min(position, failover offset M). On a relay link, this offset is translated exactly into the target's offsets.
//     If it cannot be translated (the target does not answer, the translation is gone), the consumer does not move: it
//     reports a problem and tries again each second. Records that others wrote into a relayed topic are delivered, too.
//   * A failover commits at the target only what the application has committed, at most M, and never lowers what is
//     committed there. What was delivered and not committed comes again if the process ends, as with any consumer.
//   * If the position is above M, this is reported: the records M..position were consumed at the source and do not
//   exist
//     at the target ("consumed but lost"). At the target the offsets from M on are other records, which are delivered.
//   * An active mirror is never consumed. While the source is gone and nobody has failed the link over, the consumer
//     waits, and reports that in an event.
//   * A consumer that starts never reads a source that was failed over. So it starts only when the target has answered
//     (see start_without_target_after). If some of its topics have ended at the target and others have not, it waits.
// It moves when ALL its topics have ended at the target, all topics at once, and never back: to return, close it and
// open another one with the clusters exchanged. A topic that is still mirrored keeps the other topics of a running
// consumer at the source.
//
// Several members: after a move each member keeps the partitions that it had, as long as the members are the same: its
// client.id at the target is its member id at the source, by which the assignors order. A partition that another member
// had is not read for 5 s, in which that member arrives. If it does not arrive, the partition starts at the offset that
// is committed at the target.
//
// auto.offset.reset=latest holds where the group has committed nothing and this consumer starts. After a move it is
// "earliest": latest would skip records.
//
// Nothing fails for ever by itself: what does not succeed is tried again, and poll() tells about it at once and then
// every 10 seconds.
//
// Threads: one thread polls; the other functions may be called by any thread meanwhile. There are no callbacks. It runs
// its own thread, which asks the target and probes the source once a second with all signals blocked, and the threads
// of librdkafka. It changes no signal handler. Not usable across fork().
//
// Header only, on top of farshore.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "farshore/problem.h"

namespace farshore {

struct FailoverConsumerConfig {
  std::string source, target;       // host:port[,host:port...]
  std::string group;                // the same at both clusters
  std::vector<std::string> topics;  // their names at the source
  std::string prefix;               // of the link: a topic is called prefix + name at the target
  // After this time without an answer the source counts as lost (an event). At least 1 s.
  std::chrono::milliseconds source_lost_after = std::chrono::seconds(10);
  // Start at the source if the target has not answered for so long. nullopt: never, because the source may have been
  // failed over: its records would be old, and the group's commits at the target higher.
  std::optional<std::chrono::milliseconds> start_without_target_after;
  // Properties of librdkafka for both clusters, and for one of them, which win (credentials, fetch.*, ...). The
  // consumer sets the following itself and refuses them here: bootstrap.servers, group.id, enable.auto.commit,
  // enable.auto.offset.store, enable.partition.eof, partition.assignment.strategy. auto.offset.reset is "earliest" by
  // default. The connections that ask the target and probe the source follow security.protocol (plaintext,
  // sasl_plaintext) and sasl.* (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512); others, as TLS, are refused.
  std::map<std::string, std::string> properties, source_properties, target_properties;
};

class FailoverConsumer {
 public:
  struct Record {
    std::string topic;  // its name at the source, also for records of the target
    int32_t partition = -1;
    int64_t offset = -1;                    // at the active cluster
    std::optional<std::string> key, value;  // nullopt: null (a null value is a tombstone)
    int64_t timestamp_ms = -1;              // Unix time; -1: none
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  };

  struct ContinuedPartition {
    std::string topic;  // its name at the source
    int32_t partition = -1;
    int64_t failover_offset = -1;  // M: the first source offset that the target does not hold
    int64_t position = -1;         // this consumer's position at the source: the next offset it would have delivered
    int64_t continued_at = -1;     // min(position, failover_offset), in offsets of the target (a mirror's are the same)
    int64_t consumed_but_lost = 0;  // offsets in [failover_offset, position)
    int64_t committed_at = -1;  // what the application had committed, at most M, in offsets of the target; -1: nothing
    bool committed = false;     // the group has at least that committed at the target; else it is tried again
  };

  struct Event {
    enum class Kind {
      kStarted = FARSHORE_STARTED,         // at the source; or at the target, if it was failed over before
      kSourceLost = FARSHORE_SOURCE_LOST,  // the source did not answer for source_lost_after
      kSourceBack = FARSHORE_SOURCE_BACK,  // the source answers again, and there was no failover
      kWaiting = FARSHORE_WAITING,         // the consumer cannot start, or cannot move yet; the text says why
      kFailedOver = FARSHORE_FAILED_OVER,  // now at the target; `partitions` lists the partitions that this member had
      kTargetUnknown = FARSHORE_TARGET_UNKNOWN,  // the target does not answer
      kTargetBack = FARSHORE_TARGET_BACK,        // the target answers again
    };
    Kind kind = Kind::kStarted;
    std::string text;  // one line, for people
    std::vector<ContinuedPartition> partitions;
  };

  struct Polled {
    enum class Kind { kNothing, kRecord, kEvent, kProblem };
    Kind kind = Kind::kNothing;
    Record record;    // kRecord
    Event event;      // kEvent
    Problem problem;  // kProblem: call poll() again, unless it is fatal or kInvalid
  };

  // Checks the configuration; does not connect yet. Returns null and sets `problem` on failure: kInvalid, kFailed.
  static std::unique_ptr<FailoverConsumer> open(const FailoverConsumerConfig& config, Problem& problem) {
    detail::Config names;
    problem = Problem();
    names.set("source", config.source, problem);
    names.set("target", config.target, problem);
    names.set("group", config.group, problem);
    names.set("prefix", config.prefix, problem);
    std::string topics;
    for (const auto& topic : config.topics) topics += (topics.empty() ? "" : ",") + topic;
    names.set("topics", topics, problem);
    names.set("source.lost.after.ms", std::to_string(config.source_lost_after.count()), problem);
    if (config.start_without_target_after)
      names.set("start.without.target.after.ms", std::to_string(config.start_without_target_after->count()), problem);
    for (const auto& [name, value] : config.properties) names.set(name, value, problem);
    for (const auto& [name, value] : config.source_properties) names.set("source." + name, value, problem);
    for (const auto& [name, value] : config.target_properties) names.set("target." + name, value, problem);
    if (problem) return nullptr;
    farshore_consumer* handle = farshore_consumer_open(names.handle);
    if (!handle) problem = detail::problem_of(farshore_last_error_result());
    return handle ? std::unique_ptr<FailoverConsumer>(new FailoverConsumer(handle)) : nullptr;
  }
  ~FailoverConsumer() { farshore_consumer_close(handle_); }
  FailoverConsumer(const FailoverConsumer&) = delete;
  FailoverConsumer& operator=(const FailoverConsumer&) = delete;

  // The next record or event, or nothing after `timeout`. Call it at least every max.poll.interval.ms (5 minutes), or
  // the group takes the partitions away. The call that moves to the target may take 10 s longer than `timeout`, on a
  // relay link 20 s; a call in which partitions start may take 2 s longer.
  Polled poll(std::chrono::milliseconds timeout) {
    Polled out;
    const int result = farshore_consumer_poll(handle_, detail::milliseconds_of(timeout));
    if (result == FARSHORE_RECORD) {
      out.kind = Polled::Kind::kRecord;
      out.record = record();
    } else if (result == FARSHORE_EVENT) {
      out.kind = Polled::Kind::kEvent;
      out.event = event();
    } else if (result < 0) {
      out.kind = Polled::Kind::kProblem;
      out.problem = detail::problem_of(result);
    }
    return out;
  }

  // Commits the position after the last delivered record of each partition that this member owns, at the active
  // cluster. Blocks for at most `timeout`. kUnavailable: the commit may have been stored or not; nothing is lost if the
  // next one succeeds. It counts as the application's commit in any case: a failover carries it to the target.
  Problem commit(std::chrono::milliseconds timeout = std::chrono::seconds(5)) {
    return detail::problem_of(farshore_consumer_commit(handle_, detail::milliseconds_of(timeout)));
  }

  // Leaves the group, which takes at most about 3 s. Commits nothing. Later calls give kClosed. Idempotent.
  void close() { farshore_consumer_shutdown(handle_); }

  bool at_target() const { return farshore_consumer_at_target(handle_) != 0; }  // from any thread

 private:
  explicit FailoverConsumer(farshore_consumer* handle) : handle_(handle) {}

  static std::optional<std::string> bytes(const void* data, size_t size) {
    if (!data) return std::nullopt;
    return std::string(static_cast<const char*>(data), size);
  }

  Record record() const {
    Record out;
    size_t size = 0;
    out.topic = farshore_record_topic(handle_);
    out.partition = farshore_record_partition(handle_);
    out.offset = farshore_record_offset(handle_);
    out.timestamp_ms = farshore_record_timestamp_ms(handle_);
    const void* data = farshore_record_key(handle_, &size);
    out.key = bytes(data, size);
    data = farshore_record_value(handle_, &size);
    out.value = bytes(data, size);
    const size_t headers = farshore_record_headers(handle_);
    for (size_t i = 0; i < headers; ++i) {
      data = farshore_record_header_value(handle_, i, &size);
      out.headers.emplace_back(farshore_record_header_name(handle_, i), bytes(data, size));
    }
    return out;
  }

  Event event() const {
    Event out;
    out.kind = static_cast<Event::Kind>(farshore_event_kind(handle_));
    out.text = farshore_event_text(handle_);
    const size_t partitions = farshore_event_partitions(handle_);
    for (size_t i = 0; i < partitions; ++i) {
      const farshore_continued* from = farshore_event_partition(handle_, i);
      ContinuedPartition& to = out.partitions.emplace_back();
      to.topic = farshore_continued_topic(from);
      to.partition = farshore_continued_partition(from);
      to.failover_offset = farshore_continued_failover_offset(from);
      to.position = farshore_continued_position(from);
      to.continued_at = farshore_continued_at(from);
      to.consumed_but_lost = farshore_continued_consumed_but_lost(from);
      to.committed_at = farshore_continued_committed_at(from);
      to.committed = farshore_continued_committed(from) != 0;
    }
    return out;
  }

  farshore_consumer* const handle_;
};

}  // namespace farshore
