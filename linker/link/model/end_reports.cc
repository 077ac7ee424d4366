#include "linker/link/model/end_reports.h"

namespace farshore::linker {

Task<Status> EndReports::load(Deadline deadline) {
  if (loaded_) co_return ok();
  CO_TRY(auto entries, co_await store_.list(key(""), deadline));
  for (const auto& entry : entries) {
    auto report = decode_end_report(entry.value);
    if (report)
      stored_[parse_link_key(entry.key).child] = Stored{std::move(*report), entry.revision};
    else
      env_.log().warn("a stored report cannot be read", {{"key", entry.key}, {"error", report.error()}});
  }
  loaded_ = true;
  co_return ok();
}

void EndReports::complete(const std::string& topic, PromotionRecord& record) const {
  auto found = stored_.find(topic);
  if (found != stored_.end()) apply(found->second.report, record);
}

Task<void> EndReports::store(std::string topic, PromotionRecord record, Deadline deadline) {
  EndReport report = report_of(record);
  missing_[topic] = report;
  auto stored = co_await put(topic, std::move(report), deadline);  // its own alone: other topics end at the same time
  if (stored)
    missing_.erase(topic);
  else
    env_.log().warn("the report of a mirror's end is not stored yet", {{"topic", topic}, {"error", stored.error()}});
}

Task<Status> EndReports::store_missing(Deadline deadline) {
  Status result;
  const auto missing = missing_;
  for (const auto& [topic, report] : missing) {
    auto put = co_await this->put(topic, report, deadline);
    if (put)
      missing_.erase(topic);
    else
      result = std::move(put);
  }
  co_return result;
}

std::set<std::string> EndReports::topics() const {
  std::set<std::string> topics;
  for (const auto& entry : stored_) topics.insert(entry.first);
  return topics;
}

Task<Status> EndReports::forget(std::set<std::string> gone, Deadline deadline) {
  for (const auto& topic : gone) {
    auto found = stored_.find(topic);
    if (found == stored_.end()) continue;
    StoredEntry entry;
    entry.key = key(topic);
    entry.revision = found->second.revision;
    auto deleted = co_await store_.replace(std::move(entry), deadline);
    if (!deleted && deleted.error() == ErrorCode::kConflict) {  // perhaps deleted by a try whose answer was lost
      CO_TRY(StoredEntry there, co_await store_.read(key(topic), deadline));
      stored_[topic].revision = there.revision;
      if (there.revision > 0) co_return Error(ErrorCode::kUnavailable, deleted.error().detail);
    } else if (!deleted) {
      co_return std::move(deleted).error();
    }
    stored_.erase(topic);
  }
  co_return ok();
}

Task<Status> EndReports::put(std::string topic, EndReport report, Deadline deadline) {
  StoredEntry entry;
  entry.key = key(topic);
  CO_TRY(StoredEntry there, co_await store_.read(key(topic), deadline));
  entry.revision = there.revision;
  entry.value = encode(report);
  auto revision = co_await store_.replace(std::move(entry), deadline);
  // Another call of this gateway stored it meanwhile. That is no conflict about the link, and a later call looks again.
  if (!revision && revision.error() == ErrorCode::kConflict)
    co_return Error(ErrorCode::kUnavailable, revision.error().detail);
  if (!revision) co_return std::move(revision).error();
  stored_[topic] = Stored{std::move(report), *revision};
  co_return ok();
}

}  // namespace farshore::linker
