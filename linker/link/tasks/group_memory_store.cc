#include "linker/link/tasks/group_memory_store.h"

namespace farshore::linker {

void GroupMemoryStore::take(const std::string& group, const StoredEntry& stored) {
  if (stored.revision == 0)
    entries_.erase(group);
  else
    entries_[group] = Entry{decode_group_memory(stored.value), stored.revision};
}

Task<Status> GroupMemoryStore::load(Deadline deadline) {
  if (loaded_) co_return ok();
  CO_TRY(auto stored, co_await store_.list(key(""), deadline));
  for (const auto& each : stored) {
    const LinkKey found = parse_link_key(each.key);
    if (found.kind == LinkKey::Kind::kGroupMemory) take(found.child, each);
  }
  loaded_ = true;
  co_return ok();
}

std::vector<std::string> GroupMemoryStore::groups() const {
  std::vector<std::string> names;
  names.reserve(entries_.size());
  for (const auto& entry : entries_) names.push_back(entry.first);
  for (const auto& group : unknown_)
    if (entries_.count(group) == 0) names.push_back(group);
  return names;
}

Task<Result<GroupMemory>> GroupMemoryStore::read(std::string group, Deadline deadline) {
  if (unknown_.count(group) > 0) {
    CO_TRY(StoredEntry stored, co_await store_.read(key(group), deadline));
    take(group, stored);
    unknown_.erase(group);
  }
  auto found = entries_.find(group);
  if (found == entries_.end()) co_return GroupMemory();
  co_return found->second.memory;
}

Task<Status> GroupMemoryStore::write(std::string group, GroupMemory memory, Deadline deadline) {
  StoredEntry entry;
  entry.key = key(group);
  if (auto found = entries_.find(group); found != entries_.end()) entry.revision = found->second.revision;
  if (memory.empty() && entry.revision == 0) co_return ok();
  if (!memory.empty()) entry.value = encode(memory);
  auto stored = co_await store_.replace(std::move(entry), deadline);
  if (!stored) {
    unknown_.insert(group);  // the write may have been stored: read() finds out
    co_return stored.error();
  }
  if (memory.empty())
    entries_.erase(group);
  else
    entries_[group] = Entry{std::move(memory), *stored};
  co_return ok();
}

}  // namespace farshore::linker
