#include "linker/link/model/mirror_topic.h"

namespace farshore::linker {
namespace {

LogLevel topic_log_level(MirrorState state) {
  if (state == MirrorState::kFailed) return LogLevel::kError;
  return state == MirrorState::kSourceUnavailable ? LogLevel::kWarn : LogLevel::kInfo;
}

}  // namespace

MirrorTopic::MirrorTopic(Env& env, replicator::Replicator& replicator, std::string link, std::string name,
                         std::string source_topic)
    : env_(env),
      replicator_(replicator),
      link_(std::move(link)),
      name_(std::move(name)),
      source_topic_(std::move(source_topic)),
      since_ms_(env.wall_now().milliseconds_since_epoch) {}

bool MirrorTopic::ending() const { return state_ == MirrorState::kStopped || state_ == MirrorState::kPendingStopped; }

bool MirrorTopic::has_pump(const LinkPartition& key) const {
  const auto partition = static_cast<size_t>(key.partition.value());
  return partition < pumps_.size() && pumps_[partition] == key;
}

TargetTopic MirrorTopic::as_target_topic() const {
  TargetTopic topic;
  topic.topic = name_;
  topic.source_topic = source_topic_;
  topic.id = id_;
  topic.source_id = source_id_;
  topic.partitions = static_cast<int32_t>(pumps_.size());
  topic.promotion = promotion_;
  return topic;
}

std::string MirrorTopic::state_and_reason() const {
  const std::string state(state_name());
  return reason().empty() ? state : state + " (" + reason() + ")";
}

bool MirrorTopic::caught_up_now() const {
  if (pumps_.empty()) return false;
  for (const auto& key : pumps_) {
    auto progress = replicator_.progress(key);
    if (!progress || progress->pump.last_news == MonoTime() || progress->pump.lag_offsets > 0) return false;
  }
  return true;
}

SourceOffset MirrorTopic::dropped_below(const LinkPartition& key) const {
  return has_pump(key) ? dropped_below_[static_cast<size_t>(key.partition.value())] : SourceOffset(0);
}

void MirrorTopic::set_dropped_below(const LinkPartition& key, SourceOffset offset) {
  if (has_pump(key)) dropped_below_[static_cast<size_t>(key.partition.value())] = offset;
}

void MirrorTopic::identify(TargetTopicId id, SourceTopicId source_id) {
  if (id_ != id || source_id_ != source_id) stop_pumps();
  id_ = id;
  source_id_ = source_id;
  gone_at_target_ = false;
}

bool MirrorTopic::has_failed_pump() const {
  for (const auto& key : pumps_)
    if (replicator_.phase(key) == replicator::PumpPhase::kFailed) return true;
  return false;
}

void MirrorTopic::start(int32_t partitions, bool topic_paused, bool link_paused) {
  for (auto p = static_cast<int32_t>(pumps_.size()); p < partitions; ++p) {
    replicator::PartitionSpec spec;
    spec.source_topic = source_topic_;
    spec.source_topic_id = source_id_;
    spec.partition = p;
    spec.target.topic = name_;
    spec.target.topic_id = id_;
    pumps_.push_back(replicator_.add(std::move(spec)));
    dropped_below_.emplace_back(0);
  }
  if (topic_paused || link_paused) pause_pumps();
  if (topic_paused)
    pause();
  else
    set_state(MirrorState::kActive, "");
}

void MirrorTopic::pause_pumps() {
  for (const auto& key : pumps_) replicator_.pause(key);
}

void MirrorTopic::unpause_pumps() {
  for (const auto& key : pumps_) replicator_.resume(key);
}

void MirrorTopic::resume_pumps() {
  for (const auto& key : pumps_) {
    if (replicator_.phase(key) == replicator::PumpPhase::kFailed)
      replicator_.restart(key);
    else
      replicator_.resume(key);
  }
}

void MirrorTopic::stop_pumps() {
  for (const auto& key : pumps_) replicator_.remove(key);
  pumps_.clear();
  dropped_below_.clear();
}

void MirrorTopic::pause() { set_state(MirrorState::kPaused, "paused by its operator"); }

void MirrorTopic::resume() {
  resume_pumps();
  set_state(MirrorState::kActive, "");
}

void MirrorTopic::retry(bool link_paused) {
  if (pumps_.empty() || gone_at_target_) {
    stop_pumps();
    if (gone_at_target_) id_ = TargetTopicId();
    source_id_ = SourceTopicId();
    return set_state(MirrorState::kPending, "resumed: it is being made again");
  }
  set_state(MirrorState::kActive, "");
  for (const auto& key : pumps_) replicator_.restart(key);
  if (link_paused) pause_pumps();
}

void MirrorTopic::wait_because(std::string reason) {
  if (state_ == MirrorState::kPending && !left_out_) reason_ = std::move(reason);
}

void MirrorTopic::leave_out(std::string reason) {
  if (state_ != MirrorState::kPending || (left_out_ && reason_ == reason)) return;
  env_.log().warn(
      "mirror topic",
      {{"link", link_}, {"topic", name_}, {"from", farshore::name(state_)}, {"to", kLeftOutName}, {"reason", reason}});
  left_out_ = true;
  reason_ = std::move(reason);
  since_ms_ = env_.wall_now().milliseconds_since_epoch;
}

void MirrorTopic::fail(std::string reason) { set_state(MirrorState::kFailed, std::move(reason)); }

void MirrorTopic::fail_and_stop(std::string reason) {
  stop_pumps();
  fail(std::move(reason));
}

void MirrorTopic::fail_gone(std::string reason) {
  gone_at_target_ = true;
  fail(std::move(reason));
}

void MirrorTopic::fail_gone_and_stop(std::string reason) {
  gone_at_target_ = true;
  fail_and_stop(std::move(reason));
}

void MirrorTopic::source_is_silent() {
  if (state_ == MirrorState::kActive) set_state(MirrorState::kSourceUnavailable, "the source has not answered");
}

void MirrorTopic::source_answers() {
  if (state_ == MirrorState::kSourceUnavailable) set_state(MirrorState::kActive, "");
}

void MirrorTopic::begin_promotion() { set_state(MirrorState::kPendingStopped, "promote"); }

void MirrorTopic::give_up_promotion() {
  if (state_ == MirrorState::kPendingStopped) set_state(MirrorState::kActive, "");
}

void MirrorTopic::end(PromotionRecord record) {
  // An earlier gateway ended it: the table leads to STOPPED by way of ACTIVE.
  if (state_ == MirrorState::kPending) set_state(MirrorState::kActive, "");
  stop_pumps();
  set_state(MirrorState::kStopped, std::string(farshore::name(record.kind)));
  promotion_ = std::move(record);
}

bool MirrorTopic::has_open_ends() const {
  if (!promotion_) return false;
  for (const auto& end : promotion_->partitions)
    if (end.state != EndState::kDone) return true;
  return false;
}

void MirrorTopic::complete_ends(const PromotionRecord& newer) {
  if (!promotion_) return;
  for (auto& end : promotion_->partitions)
    for (const auto& found : newer.partitions)
      if (end.state != EndState::kDone && found.partition == end.partition) end = found;
}

void MirrorTopic::set_state(MirrorState state, std::string reason) {
  left_out_ = false;
  if (state_ == state && reason_ == reason) return;
  ensure(may_follow(state_, state), "a mirror topic's states follow the table of mirror_state.h");
  env_.log().write(topic_log_level(state), "mirror topic",
                   {{"link", link_},
                    {"topic", name_},
                    {"from", farshore::name(state_)},
                    {"to", farshore::name(state)},
                    {"reason", reason}});
  state_ = state;
  reason_ = std::move(reason);
  since_ms_ = env_.wall_now().milliseconds_since_epoch;
}

}  // namespace farshore::linker
