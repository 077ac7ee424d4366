#include "linker/link/tasks/group_memory_store.h"

namespace farshore::linker {

Task<Result<GroupMemory>> GroupMemoryStore::read(std::string group, Deadline deadline) {
  Entry& entry = entries_[group];
  if (entry.memory.empty()) {
    const std::string wanted = key(group);
    CO_TRY(auto stored, co_await store_.list(wanted, deadline));
    for (const auto& each : stored) {
      if (each.key != wanted) continue;
      entry.revision = each.revision;
      entry.memory = decode_group_memory(each.value);
    }
  }
  co_return entry.memory;
}

Task<Status> GroupMemoryStore::write(std::string group, GroupMemory memory, Deadline deadline) {
  StoredEntry entry;
  entry.key = key(group);
  entry.value = encode(memory);
  entry.revision = entries_[group].revision;
  auto stored = co_await store_.replace(std::move(entry), deadline);
  if (!stored) {
    entries_.erase(group);  // the write may have been stored: read() finds out
    co_return stored.error();
  }
  entries_[group] = Entry{std::move(memory), *stored};
  co_return ok();
}

GroupMemory GroupMemoryStore::known(const std::string& group) const {
  auto found = entries_.find(group);
  return found == entries_.end() ? GroupMemory() : found->second.memory;
}

}  // namespace farshore::linker
