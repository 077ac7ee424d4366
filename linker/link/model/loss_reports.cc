#include "linker/link/model/loss_reports.h"

#include <algorithm>
#include <vector>

namespace farshore::linker {

Task<Status> LossReports::load(Deadline deadline) {
  if (loaded_) co_return ok();
  CO_TRY(auto stored, co_await store_.list(key(""), deadline));
  for (const auto& each : stored) {
    Entry& entry = entries_[parse_link_key(each.key).child];
    entry.revision = each.revision;
    auto report = decode_loss_report(each.value);
    if (report)
      entry.report = std::move(*report);
    else
      env_.log().warn("a stored report of lost records cannot be read", {{"key", each.key}, {"error", report.error()}});
  }
  loaded_ = true;
  co_return ok();
}

const LossReport* LossReports::find(const std::string& topic, TargetTopicId id) const {
  auto found = entries_.find(topic);
  if (found == entries_.end()) return nullptr;
  const LossReport& report = found->second.report;
  return report.link == definition_.link().id && report.topic == id ? &report : nullptr;
}

LossReports::Entry& LossReports::entry(const Place& where) {
  Entry& entry = entries_[where.topic];
  if (!find(where.topic, where.id)) {
    entry.report = LossReport();
    entry.report.link = definition_.link().id;
    entry.report.topic = where.id;
  }
  return entry;
}

Task<Status> LossReports::begin(Place where, LossReport::Begun what, Deadline deadline) {
  if (!loaded_) co_return Error(ErrorCode::kUnavailable, "the reports of lost records are not read yet");
  Entry& entry = this->entry(where);
  entry.report.begun[where.partition] = what;
  ++entry.changes;
  co_return co_await store(where.topic, deadline);
}

Task<Status> LossReports::finish(Place where, SourceOffset end, SourceOffset cut_to, Deadline deadline) {
  const LossReport* report = find(where.topic, where.id);
  if (!loaded_) co_return Error(ErrorCode::kUnavailable, "the reports of lost records are not read yet");
  if (!report) co_return ok();
  Entry& entry = this->entry(where);
  if (auto begun = entry.report.begun.find(where.partition); begun != entry.report.begun.end())
    begun->second.to = std::max(begun->second.to, cut_to);
  if (entry.report.finish_at(where.partition, end, now_ms())) ++entry.changes;
  // Also if it was finished by an earlier call that could not store it.
  co_return co_await store(where.topic, deadline);
}

void LossReports::note(const Place& where, LossKind kind, SourceOffset from, SourceOffset to) {
  if (from >= to) return;
  Entry& entry = this->entry(where);
  entry.report.add(kind, where.partition, from, to, now_ms());
  ++entry.changes;
}

Task<Status> LossReports::store(std::string topic, Deadline deadline) {
  auto guard = co_await storing_.lock(deadline);
  if (!guard) co_return std::move(guard).error();
  auto found = entries_.find(topic);
  if (found == entries_.end() || found->second.stored == found->second.changes) co_return ok();
  const uint64_t changes = found->second.changes;
  StoredEntry entry;
  entry.key = key(topic);
  entry.value = encode(found->second.report);
  entry.revision = found->second.revision;
  auto revision = co_await store_.replace(std::move(entry), deadline);
  found = entries_.find(topic);
  if (found == entries_.end()) co_return ok();
  if (revision) {
    found->second.revision = *revision;
    found->second.stored = changes;
    co_return ok();
  }
  if (revision.error() != ErrorCode::kConflict) co_return std::move(revision).error();
  // An earlier write whose answer was lost. That is no conflict about the link: the next call knows its revision.
  CO_TRY(StoredEntry there, co_await store_.read(key(topic), deadline));
  entries_[topic].revision = there.revision;
  co_return Error(ErrorCode::kUnavailable, revision.error().detail);
}

Task<Status> LossReports::store_missing(Deadline deadline) {
  std::vector<std::string> missing;
  for (const auto& [topic, entry] : entries_)
    if (entry.stored != entry.changes) missing.push_back(topic);
  Status result;
  for (const auto& topic : missing) {
    auto stored = co_await store(topic, deadline);
    if (!stored) result = std::move(stored);
  }
  co_return result;
}

bool LossReports::some_are_missing() const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [](const auto& entry) { return entry.second.stored != entry.second.changes; });
}

std::set<std::string> LossReports::topics() const {
  std::set<std::string> topics;
  for (const auto& entry : entries_) topics.insert(entry.first);
  return topics;
}

Task<Status> LossReports::forget(std::set<std::string> gone, Deadline deadline) {
  for (const auto& topic : gone) {
    auto guard = co_await storing_.lock(deadline);
    if (!guard) co_return std::move(guard).error();
    auto found = entries_.find(topic);
    if (found == entries_.end() || found->second.stored != found->second.changes) continue;
    StoredEntry entry;
    entry.key = key(topic);
    entry.revision = found->second.revision;
    Result<int64_t> deleted = int64_t{0};
    if (entry.revision > 0) deleted = co_await store_.replace(std::move(entry), deadline);
    if (!deleted && deleted.error() == ErrorCode::kConflict) {  // perhaps deleted by a try whose answer was lost
      CO_TRY(StoredEntry there, co_await store_.read(key(topic), deadline));
      entries_[topic].revision = there.revision;
      if (there.revision > 0) co_return Error(ErrorCode::kUnavailable, deleted.error().detail);
    } else if (!deleted) {
      co_return std::move(deleted).error();
    }
    entries_.erase(topic);
  }
  co_return ok();
}

}  // namespace farshore::linker
