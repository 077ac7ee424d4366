// RelayLinks: the topics that relay links fill, or filled, as the target's topic __farshore_links tells. What was read
// is kept, also when a read fails in the middle. Executor: the Env's. Memory: the values of that topic.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/async_mutex.h"
#include "base/env.h"
#include "offsets/client/target/relay_question.h"
#include "proto/kafka/client/partition_reader.h"
#include "proto/link/link_partition.h"

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
  Error unreadable;  // why only `link` and `topic` are known: a later release wrote the entry, or it is damaged
};
// Decodes an entry of __farshore_links with the key link/<name>/topic/<topic>.
RelayedTopic parse_relayed_topic(std::string_view key, std::string_view json);

class RelayLinks {
 public:
  // References outlive it.
  RelayLinks(Env& env, kafka::ClusterClient& target, SlabArena& arena);

  // Reads what was written since the last call. kNotFound: the target never had a relay link; otherwise its errors.
  Task<Status> read(Deadline deadline);
  // The topic that the question is about. kNotFound: none; kInvalidArgument: several, so the question must name the
  // link; the error of an entry that cannot be read and may be the one that is meant. Other entries do not matter.
  Result<RelayedTopic> find(const RelayQuestion& question) const;
  // By their names at the target. If two links have one topic, the link that has not ended is given.
  std::map<std::string, RelayedTopic> topics() const;

 private:
  Task<Status> read_locked(Deadline deadline);
  Status apply(const BatchHeader& header, const SliceList& bytes, size_t begin);

  Env& env_;
  kafka::ClusterClient& target_;
  SlabArena& arena_;
  AsyncMutex reading_;
  std::unique_ptr<kafka::PartitionReader> reader_;
  std::map<std::string, RelayedTopic> topics_;  // by the key of the entry
};

}  // namespace farshore::client
