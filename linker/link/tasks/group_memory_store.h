// GroupMemoryStore: the GroupMemory of each consumer group of one link, kept at the target under
// link/<name>/group/<group>, so that any later gateway knows which commits are this link's own. A group whose memory
// becomes empty has no entry any more.
// Executor: the Env's. Owner: GroupSync. Calls for one group come one at a time; those for several may overlap.
// Memory: that of all groups of the link, at most LinkStore::kListedEntriesMax.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "linker/store/link_definition.h"
#include "proto/link/group_memory.h"

namespace farshore::linker {

class GroupMemoryStore {
 public:
  // `store` and `definition` outlive it.
  GroupMemoryStore(LinkStore& store, const LinkDefinition& definition) : store_(store), definition_(definition) {}

  // Reads all memories of the link, the first time that it succeeds. The calls below need it.
  Task<Status> load(Deadline deadline);
  // The groups that have a memory, or may have one.
  std::vector<std::string> groups() const;
  bool may_have_groups() const { return !loaded_ || !entries_.empty() || !unknown_.empty(); }
  // As last read or written; read again after a write that failed. Empty: the link has written nothing.
  Task<Result<GroupMemory>> read(std::string group, Deadline deadline);
  // Stores `memory` before the offsets in it are committed, and after they were deleted. After an error the new memory
  // may be stored or not.
  Task<Status> write(std::string group, GroupMemory memory, Deadline deadline);

 private:
  struct Entry {
    GroupMemory memory;
    int64_t revision = 0;
  };
  std::string key(const std::string& group) const { return group_memory_key(definition_.spec().name, group); }
  void take(const std::string& group, const StoredEntry& stored);

  LinkStore& store_;
  const LinkDefinition& definition_;
  bool loaded_ = false;
  std::map<std::string, Entry> entries_;  // those that are stored
  std::set<std::string> unknown_;         // a write of theirs failed: it may have been stored
};

}  // namespace farshore::linker
