// RelayMap: the exact offset translation of relay links, read from the target cluster alone: the links' state
// (__farshore_links), the log of record (__farshore_offsets), and, for what is not written down yet, the tail of the
// partition itself, whose batches name their source by producer and sequence. It writes nothing and fences nobody, and
// needs neither gateway nor source.
// Executor: the Env's. Memory: the runs and anchors of the log partitions that were asked about (some 150 bytes each).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/env.h"
#include "base/memory_kv.h"
#include "offsets/store/translation_store.h"
#include "offsets/translation/log_reader.h"
#include "proto/kafka/client/partition_reader.h"

namespace farshore::client {

// What is known of a topic that a relay link fills, or filled.
struct RelayedTopic {
  std::string link, topic, source_topic;
  LinkPartition key;  // without the partition
  int32_t partitions = 0;
  bool ended = false;  // promoted or failed over: nothing comes any more
  bool promoted = false;
  struct End {
    int64_t source = 0;   // the first offset of the source that is not at the target
    int64_t target = -1;  // the same place at the target; -1: nothing was relayed
  };
  std::map<int32_t, End> ends;  // of one that ended, by partition
};
// Of a value of __farshore_links under link/<name>/topic/<topic>. kCorrupt; kUnsupported: of a later Farshore.
Result<RelayedTopic> parse_relayed_topic(std::string_view key, std::string_view json);

struct RelayAnswer {
  std::string topic;  // at the other end
  int64_t offset = -1;
  bool exact = true;   // false: there is no such record there; this is the next one
  int64_t limit = -1;  // the highest position that translates now, in the offsets of the question
  bool ended = false;
};

class RelayMap {
 public:
  enum class Direction : uint8_t { kToTarget, kToSource };
  struct Question {
    std::string link;   // empty: whichever has the topic
    std::string topic;  // as it is called where the offset is from
    int32_t partition = 0;
    int64_t offset = 0;
    Direction direction = Direction::kToTarget;
    // To the target: an offset below all that is translated (the source deleted it, and it was forgotten, or it was
    // never relayed) gives the first record that is, not exact; else it is kOutOfRange.
    bool below_is_first = false;
  };

  // References outlive it.
  RelayMap(Env& env, kafka::ClusterClient& target);
  ~RelayMap();

  // As of now: what the target acknowledged before the call is known. One call at a time.
  // kNotFound: no relay link fills this topic, or nothing was relayed of the partition; kConflict: several links do,
  // name one; kOutOfRange: beyond what was relayed (limit is set), or below it; otherwise the target's errors.
  Task<Result<RelayAnswer>> ask(Question question, Deadline deadline);
  // What relay links fill, or filled, by its name at the target; nothing where no relay link was ever made. Of two
  // links with one topic, the one that has not ended. kCorrupt, kUnsupported: what is stored; otherwise the target's
  // errors.
  Task<Result<std::map<std::string, RelayedTopic>>> topics(Deadline deadline);
  // Set by the last ask() that ended with kOutOfRange; -1: not known.
  int64_t limit() const { return limit_; }
  bool ended() const { return ended_; }

 private:
  Task<Status> read_links(Deadline deadline);
  Task<Status> read_log(int32_t partition, Deadline deadline);
  Task<Status> read_tail(TopicPartition at, LinkPartition key, Offset end, Deadline deadline);
  Result<RelayedTopic> find(const Question& question) const;
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
