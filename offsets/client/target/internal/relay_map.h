// RelayMap: the exact offset translation of relay links, read from the target cluster alone. It reads the links' state
// (__farshore_links), the translation log (__farshore_offsets), and the end of the partition itself: batches there that
// the log does not cover yet name their source by producer and sequence. It writes nothing and fences no gateway. It
// needs neither the gateway nor the source. Executor: the Env's. Memory: about 150 bytes for each run and anchor of the
// log partitions that were asked about.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/env.h"
#include "base/memory_kv.h"
#include "offsets/client/target/relay_question.h"
#include "offsets/store/translation_store.h"
#include "offsets/translation/log_reader.h"
#include "proto/kafka/client/partition_reader.h"

namespace farshore::client {

// A topic that a relay link fills, or filled before it ended.
struct RelayedTopic {
  std::string link, topic, source_topic;
  LinkPartition key;  // without the partition
  int32_t partitions = 0;
  bool ended = false;  // promoted or failed over: the link writes no more records
  bool promoted = false;
  struct End {
    int64_t source = 0;   // the first source offset that is not at the target
    int64_t target = -1;  // the same position at the target; -1: nothing was relayed
  };
  std::map<int32_t, End> ends;  // if it ended, by partition
};
// Decodes an entry of __farshore_links with the key link/<name>/topic/<topic>. kCorrupt; kUnsupported: written by a
// later release.
Result<RelayedTopic> parse_relayed_topic(std::string_view key, std::string_view json);

struct RelayAnswer {
  std::string topic;  // its name at the other cluster
  int64_t offset = -1;
  bool exact = true;   // false: the other cluster has no such record; `offset` is the next one
  int64_t limit = -1;  // the highest offset that translates now, in the numbering of the question
  bool ended = false;
};

class RelayMap {
 public:
  // References outlive it.
  RelayMap(Env& env, kafka::ClusterClient& target);
  ~RelayMap();

  // Translates one offset. Everything that the target acknowledged before the call is taken into account. One call at a
  // time.
  // kNotFound: no relay link fills this topic, or nothing of the partition was relayed; kConflict: several links have
  // the topic, so the question must name one; kOutOfRange: above what was relayed (limit() is set), or below it;
  // otherwise the target's errors.
  Task<Result<RelayAnswer>> ask(RelayQuestion question, Deadline deadline);
  // All relayed topics, by their names at the target; empty if the target never had a relay link. If two links have one
  // topic, the link that has not ended is given. kCorrupt, kUnsupported: a stored entry; otherwise the target's errors.
  Task<Result<std::map<std::string, RelayedTopic>>> topics(Deadline deadline);
  // Set by the last ask() that ended with kOutOfRange; -1: not known.
  int64_t limit() const { return limit_; }
  bool ended() const { return ended_; }

 private:
  Task<Status> read_links(Deadline deadline);
  Task<Status> read_log(int32_t partition, Deadline deadline);
  Task<Status> read_tail(TopicPartition at, LinkPartition key, Offset end, Deadline deadline);
  Result<RelayedTopic> find(const RelayQuestion& question) const;
  Status apply_links(const BatchHeader& header, const SliceList& bytes, size_t begin);

  class Image final : public TranslationLogSink {
   public:
    explicit Image(offsets::TranslationStore& store) : store_(store) {}
    Task<Status> take(TranslationRecord record) override { return store_.apply(std::move(record)); }

   private:
    offsets::TranslationStore& store_;
  };

  Env& env_;
  kafka::ClusterClient& target_;
  SlabArena arena_;
  std::unique_ptr<kafka::PartitionReader> links_reader_;
  std::map<std::string, std::string> links_;  // key -> value
  MemoryKv kv_;
  offsets::TranslationStore store_;
  Image image_;
  std::map<int32_t, std::unique_ptr<TranslationLogReader>> logs_;
  int64_t limit_ = -1;
  bool ended_ = false;
};

}  // namespace farshore::client
