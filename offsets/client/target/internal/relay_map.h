// RelayMap: the exact offset translation of relay links, read from the target cluster alone: the links' state
// (RelayLinks), the translation log and the ends of the partitions (TranslationImage). It writes nothing and fences no
// gateway. It needs neither the gateway nor the source. Executor: the Env's. Calls may overlap: they wait for each
// other only where they need the same partition of the translation log.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "offsets/client/target/internal/partition_ends.h"
#include "offsets/client/target/internal/relay_links.h"
#include "offsets/client/target/internal/translation_image.h"
#include "offsets/client/target/relay_question.h"

namespace farshore::client {

struct RelayAnswer {
  // kNotFound: no relay link fills this topic, or nothing of the partition was relayed; kInvalidArgument: several links
  // have the topic, so the question must name one; kOutOfRange: above what was relayed (`limit` is set), or below it;
  // kTimedOut: the translation was not read to its end, the next call goes on where this one stopped; otherwise the
  // target's errors.
  Error error;
  std::string topic;  // its name at the other cluster
  int64_t offset = -1;
  bool exact = true;   // false: the other cluster has no such record; `offset` is the next one
  int64_t limit = -1;  // the highest offset that translates now, in the numbering of the question; -1: not known
  bool ended = false;  // promoted or failed over: `limit` is final
};

class RelayMap {
 public:
  static constexpr int kLogsAtOnce = 8;  // partitions of the translation log that one call reads at the same time

  // References outlive it.
  RelayMap(Env& env, kafka::ClusterClient& target);
  ~RelayMap();

  // Answers all questions, in their order. Everything that the target acknowledged before the call is taken into
  // account.
  Task<std::vector<RelayAnswer>> ask(std::vector<RelayQuestion> questions, Deadline deadline);

 private:
  struct Wanted {  // one question whose topic is known
    RelayQuestion question;
    RelayedTopic topic;
    LinkPartition key;
    Offset end;  // of the partition at the target, as far as the link wrote it
    size_t index = 0;
  };
  using Wanteds = std::map<int32_t, std::vector<Wanted>>;  // by partition of the translation log
  struct Call {
    Wanteds wanted;
    Wanteds::iterator next;
    PartitionEnds logs;
    std::vector<RelayAnswer> answers;
  };
  Task<Status> prepare(std::vector<RelayQuestion> questions, Call& call, Deadline deadline);
  Task<Status> find_ends(Call& call, Deadline deadline);
  Task<void> work(Call& call, Deadline deadline);
  Task<Status> answer_log(int32_t log, std::vector<Wanted>& wanted, Call& call, Deadline deadline);
  Task<Status> answer_one(TranslationImage& image, Wanted& wanted, RelayAnswer& answer, Deadline deadline);
  TranslationImage& image(int32_t log);

  Env& env_;
  kafka::ClusterClient& target_;
  SlabArena arena_;
  RelayLinks links_;
  std::map<int32_t, std::unique_ptr<TranslationImage>> images_;  // by partition of the translation log
};

}  // namespace farshore::client
