// RelayGarbage: removes what deleted links have left at a plain Kafka target: their entries in the LinkStore, and the
// translation of their topics in __farshore_offsets. A link's own entry is deleted first. The entries of its topics
// stay until their translation is forgotten: they are the list of the remaining work, so a gateway that dies in
// between loses nothing, and any later gateway continues. Records in the topics stay as they are. Executor: the Env's.
// Owner: KafkaBackend. Calls wait for each other.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/env.h"
#include "linker/relay/journal.h"
#include "linker/store/link_store.h"
#include "proto/link/relay_topic.h"

namespace farshore::linker {

class RelayGarbage {
 public:
  // References outlive it. `cluster` is the target's.
  RelayGarbage(Env& env, kafka::ClusterClient& cluster, LinkStore& store, KafkaRelayJournal& journal)
      : env_(env), cluster_(cluster), store_(store), journal_(journal), turn_(env) {}

  // For links that are not stored any more (under that name, with that id): of the name `link`, or of any if it is
  // empty. Reads the entries page by page; without a name at most once a minute, unless something was left undone. An
  // entry that cannot be read is named in the log and stays, with everything of a link that cannot be read; a damaged
  // entry of a deleted link goes. Costs one fence of the log, some 30 ms, per shard, and a write per partition that was
  // relayed. After an error (those of KafkaRelayJournal and LinkStore) a later call goes on.
  Task<Status> collect(std::string link, Deadline deadline);

 private:
  struct Owned {
    kafka::ProducerIdentity producer;
    MonoTime until;
  };
  using Links = std::map<std::string, std::optional<LinkId>>;  // by name; none: its entry cannot be read
  Task<Status> collect_entry(const Links& links, StoredEntry entry, Deadline deadline);
  Task<Result<bool>> made_since(LinkId listed, std::string link, Deadline deadline);
  void note_unreadable(const StoredEntry& entry, const Error& why);
  // The key's shard is in owned_, for a while yet.
  Task<Status> own_log(LinkPartition key, Deadline deadline);
  Task<Status> forget_topic(RelayTopic topic, Deadline deadline);

  Env& env_;
  kafka::ClusterClient& cluster_;
  LinkStore& store_;
  KafkaRelayJournal& journal_;
  AsyncMutex turn_;
  std::optional<MonoTime> swept_;        // when a sweep of all entries was complete last
  std::map<std::string, int64_t> said_;  // entries that cannot be read, with their revisions
  std::map<std::string, Owned> owned_;   // by transactional id, of one collect()
};

}  // namespace farshore::linker
