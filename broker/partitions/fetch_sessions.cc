#include "broker/partitions/fetch_sessions.h"

#include <cstring>
#include <functional>
#include <utility>

#include "base/ensure.h"
#include "broker/partitions/partition.h"

namespace farshore::broker {
namespace {

constexpr int32_t kNewSessionEpoch = 0;  // full, with a new session
constexpr int32_t kFinalEpoch = -1;      // full, without one

int32_t epoch_after(int32_t epoch) { return epoch == INT32_MAX ? 1 : epoch + 1; }

}  // namespace

size_t FetchSession::KeyHash::operator()(const Key& key) const noexcept {
  uint64_t id = 0;
  std::memcpy(&id, key.topic_id.bytes.data(), sizeof id);
  size_t hash = key.topic.empty() ? std::hash<uint64_t>()(id) : std::hash<std::string>()(key.topic);
  return hash * 31 + static_cast<size_t>(key.partition);
}

void FetchSession::put(FetchTarget target) {
  auto found = index_.find(key_of(target));
  if (found == index_.end()) {
    Key key = key_of(target);
    target.place = next_place_++;
    target.due = true;
    index_.emplace(std::move(key), due_.insert(due_.end(), std::move(target)));
    return;
  }
  FetchTarget& known = *found->second;
  known.current_leader_epoch = target.current_leader_epoch;
  known.fetch_offset = target.fetch_offset;
  known.last_fetched_epoch = target.last_fetched_epoch;
  known.bytes_max = target.bytes_max;
  make_due(found->second);
}

bool FetchSession::forget(const FetchTarget& which) {
  auto found = index_.find(key_of(which));
  if (found == index_.end()) return false;
  (found->second->due ? due_ : idle_).erase(found->second);
  index_.erase(found);
  return true;
}

void FetchSession::watch(Position at, Partition& partition) {
  if (at->watch && at->watch->active() && at->watched == &partition) return;
  at->watch = std::make_shared<ProgressWatch>([this, at] {
    at->moved = true;
    make_due(at);
    if (wake_) wake_();
  });
  at->watched = &partition;
  partition.progress().watch(*at->watch);
}

void FetchSession::make_due(Position at) {
  if (at->due) return;
  at->due = true;
  due_.splice(due_.end(), idle_, at);
}

void FetchSession::settle(Position at) {
  if (!at->due || at->moved) return;
  at->due = false;
  idle_.splice(idle_.end(), due_, at);
}

bool FetchSession::tells(const FetchTarget& target, const FetchAnswer& answer) {
  return answer.has_records || answer.diverging || answer.error != kafka::ErrorCode::kNone ||
         answer.high_watermark != target.announced_high_watermark || answer.log_start != target.announced_log_start;
}

bool FetchSession::note(FetchTarget& target, const FetchAnswer& answer, bool full) {
  const bool told = full || tells(target, answer);
  target.announced_high_watermark = answer.high_watermark;
  target.announced_log_start = answer.log_start;
  // The client hears of an error every time, and of the first answer after it.
  if (answer.error != kafka::ErrorCode::kNone) target.announced_high_watermark = -1;
  return told;
}

FetchPlan FetchSessionCache::begin(FetchSessionRequest request, MonoTime now) {
  if (request.epoch == kNewSessionEpoch || request.epoch == kFinalEpoch) return begin_full(std::move(request));
  return begin_incremental(std::move(request), now);
}

FetchPlan FetchSessionCache::begin_full(FetchSessionRequest request) {
  // A full fetch that names a session ends it.
  if (auto old = sessions_.find(request.session_id); old != sessions_.end()) remove(*old->second);
  FetchPlan plan;
  plan.session = std::make_shared<FetchSession>();
  plan.session->uses_topic_ids_ = request.uses_topic_ids;
  plan.wants_session = request.epoch == kNewSessionEpoch && !request.targets.empty();
  for (auto& target : request.targets) plan.session->put(std::move(target));
  return plan;
}

FetchPlan FetchSessionCache::begin_incremental(FetchSessionRequest request, MonoTime now) {
  FetchPlan plan;
  auto found = sessions_.find(request.session_id);
  if (found == sessions_.end()) {
    plan.error = kafka::ErrorCode::kFetchSessionIdNotFound;
    return plan;
  }
  std::shared_ptr<FetchSession> session = found->second;
  if (session->next_epoch_ != request.epoch) {
    plan.error = kafka::ErrorCode::kInvalidFetchSessionEpoch;
    return plan;
  }
  if (session->busy_) {
    remove(*session);
    plan.error = kafka::ErrorCode::kInvalidFetchSessionEpoch;
    return plan;
  }
  if (session->uses_topic_ids_ != request.uses_topic_ids) {
    plan.error = kafka::ErrorCode::kFetchSessionTopicIdError;
    return plan;
  }
  for (auto& target : request.targets) session->put(std::move(target));
  for (const auto& target : request.forgotten) session->forget(target);
  partitions_ += session->size();
  partitions_ -= session->counted_;
  session->counted_ = session->size();
  plan.session = session;
  if (session->size() == 0) {  // nothing left to follow: a fetch of nothing, and the session ends
    remove(*session);
    plan.full = true;
    return plan;
  }
  if (partitions_ > limits_.partitions_max) {
    remove(*session);
    plan.session.reset();
    plan.error = kafka::ErrorCode::kFetchSessionIdNotFound;
    return plan;
  }
  plan.full = false;
  session->busy_ = true;
  session->next_epoch_ = epoch_after(session->next_epoch_);
  by_use_.erase({session->used_, session->id_});
  session->used_ = now;
  by_use_.emplace(std::pair(now, session->id_), session->id_);
  return plan;
}

int32_t FetchSessionCache::finish(FetchPlan& plan, bool keep, MonoTime now) {
  FetchSession& session = *plan.session;
  session.busy_ = false;
  if (!plan.full) {
    if (!keep && session.id_ != 0) remove(session);
    return session.id_;  // zero if it was removed while this fetch waited
  }
  if (!keep || !plan.wants_session || !make_room(session.size(), now)) return 0;
  do {
    session.id_ = static_cast<int32_t>(random_.below(INT32_MAX)) + 1;
  } while (sessions_.count(session.id_) != 0);
  session.next_epoch_ = epoch_after(kNewSessionEpoch);
  session.used_ = now;
  session.counted_ = session.size();
  partitions_ += session.counted_;
  by_use_.emplace(std::pair(now, session.id_), session.id_);
  sessions_.emplace(session.id_, plan.session);
  return session.id_;
}

void FetchSessionCache::remove(FetchSession& session) {
  auto kept = sessions_.find(session.id_);
  ensure(kept != sessions_.end(), "only a session of this cache is removed");
  by_use_.erase({session.used_, session.id_});
  partitions_ -= session.counted_;
  session.counted_ = 0;
  session.id_ = 0;
  sessions_.erase(kept);  // last: it may own `session`
}

bool FetchSessionCache::make_room(size_t size, MonoTime now) {
  if (size > limits_.partitions_max || limits_.sessions_max == 0) return false;
  while (sessions_.size() >= limits_.sessions_max || partitions_ + size > limits_.partitions_max) {
    const auto& [use, id] = *by_use_.begin();
    if (now - use.first <= limits_.eviction) return false;
    remove(*sessions_.at(id));
    ++evictions_;
  }
  return true;
}

}  // namespace farshore::broker
