// FetchSession: the state of our incremental fetch session at a broker of the source (KIP-227). A request names only
// the partitions whose position differs from what the broker knows, and those that leave the session. Sans-io.
//
//   ask() or leave() for partitions that changed, finish() -> Fetch -> answered(), or reset()
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "proto/kafka/messages/fetch.h"
#include "replicator/source_state.h"

namespace farshore::replicator {

class FetchSession {
 public:
  // The session's state of one partition. The session's owner keeps it with the partition.
  struct Member {
    bool in_session = false;
    std::optional<FetchPosition> asked;  // the position of the last request that named the partition
  };
  // A partition as the broker knows it.
  struct Partition {
    LinkPartition key;
    std::string topic;
    LeadershipEpoch leader_epoch{-1};
  };

  // The broker knows nothing: the next request names every partition. The owner resets its members too.
  void reset();
  bool fresh() const { return epoch_ == 0 || anew_; }  // the broker keeps no session of ours, or none that is of use
  bool begun() const { return id_ != 0; }
  size_t size() const { return size_; }
  // It comes back before the broker has heard that it left. The broker would not say again what it has said, and that
  // was not heard: the session is begun anew.
  void rejoins(const LinkPartition& key);

  // `member` is to be read from `next` on: adds it to the request, unless the broker knows that already. `by_name`: to
  // a broker too old for topic ids.
  void ask(kafka::FetchRequest& request, const Partition& partition, Member& member, const FetchPosition& next,
           bool by_name, size_t bytes_max);
  // `member` is not to be read for now.
  void leave(const Partition& partition, Member& member);
  // Completes the request with the session's id and with the partitions that have left the session.
  void finish(kafka::FetchRequest& request);
  // The broker answered without an error. False: it keeps no session for us; reset() follows.
  bool answered(int32_t session_id);

 private:
  void forget(const Partition& partition);
  void remember(const LinkPartition& key);

  int32_t id_ = 0, epoch_ = 0;
  size_t size_ = 0;
  bool anew_ = false;
  struct Forgotten {
    std::string topic;
    std::set<int32_t> partitions;
  };
  std::map<TopicId, Forgotten> forgotten_;  // left since the last request
};

}  // namespace farshore::replicator
