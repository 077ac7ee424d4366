// GroupMemoryStore: the GroupMemory of each consumer group of one link, kept at the target under
// link/<name>/group/<group>, so that any later gateway knows which commits are this link's own.
// Executor: the Env's. Owner: GroupSync. One call at a time.
#pragma once

#include <map>
#include <string>

#include "linker/store/link_definition.h"
#include "proto/link/group_memory.h"

namespace farshore::linker {

class GroupMemoryStore {
 public:
  // `store` and `definition` outlive it.
  GroupMemoryStore(LinkStore& store, const LinkDefinition& definition) : store_(store), definition_(definition) {}

  // Read from the target the first time, and again after a write that failed; empty if nothing is stored.
  Task<Result<GroupMemory>> read(std::string group, Deadline deadline);
  // Stores `memory` before the offsets in it are committed. After an error the new memory may be stored or not.
  Task<Status> write(std::string group, GroupMemory memory, Deadline deadline);
  // As last read or written; empty if neither happened.
  GroupMemory known(const std::string& group) const;

 private:
  struct Entry {
    GroupMemory memory;
    int64_t revision = 0;
  };
  std::string key(const std::string& group) const { return group_memory_key(definition_.spec().name, group); }

  LinkStore& store_;
  const LinkDefinition& definition_;
  std::map<std::string, Entry> entries_;
};

}  // namespace farshore::linker
