#include "replicator/pump.h"

#include <algorithm>
#include <utility>

#include "replicator/divergence.h"
#include "replicator/final_refusal.h"
#include "replicator/run_check.h"

namespace farshore::replicator {

// Exists only while bytes are held or appends are under way.
struct PartitionPump::Held {
  BatchQueue ready;                                      // received and checked, not yet taken
  boost::container::small_vector<SourceOffset, 8> sent;  // where each append under way will end
  bool idle() const { return ready.empty() && sent.empty(); }
};

namespace {

SourceOffset first_of(const BatchHeader& batch) { return SourceOffset(batch.first().value()); }
SourceOffset next_of(const BatchHeader& batch) { return SourceOffset(batch.next().value()); }

std::string place(const LinkPartition& key, SourceOffset offset) {
  return "partition " + std::to_string(key.partition.value()) + " of source topic " + key.source_topic.to_string() +
         " at offset " + std::to_string(offset.value());
}

}  // namespace

PartitionPump::PartitionPump(LinkPartition key, const PumpOptions& options, PumpDriver& driver, PumpListener& listener)
    : key_(key), options_(options), driver_(driver), listener_(listener) {
  control_request_.kind = ControlRequest::Kind::kOpen;
}

PartitionPump::~PartitionPump() = default;

PartitionPump::Held& PartitionPump::held() {
  if (!held_) held_ = std::make_unique<Held>();
  return *held_;
}

void PartitionPump::clear_held() { held_.reset(); }

void PartitionPump::reset(ControlRequest control_request) {
  ++generation_;
  clear_held();
  phase_ = PumpPhase::kWaitingForControl;
  control_request_ = control_request;
  driver_.pump_fetch_changed(*this);
  driver_.pump_needs_control(*this);
}

void PartitionPump::fail(Error error) {
  fail_unannounced(std::move(error));
  listener_.pump_failed(key_, *failure_);
}

void PartitionPump::fail_unannounced(Error error) {
  ++generation_;
  clear_held();
  phase_ = PumpPhase::kFailed;
  control_request_ = {};
  failure_ = std::make_unique<Error>(std::move(error));
  driver_.pump_fetch_changed(*this);
}

std::optional<FetchPosition> PartitionPump::next() const {
  if (phase_ != PumpPhase::kRunning) return std::nullopt;
  size_t buffered = held_ ? held_->ready.bytes() : 0;
  if (buffered >= options_.buffered_bytes_max) return std::nullopt;
  FetchPosition position;
  position.offset = fetch_offset();
  // At another place than the target's end, the target's last epoch says nothing.
  position.last_fetched_epoch = seek_ >= SourceOffset(0) ? LogEpoch(-1) : received_epoch_;
  position.session = session_;
  position.generation = generation_;
  position.room_bytes = options_.buffered_bytes_max - buffered;
  return position;
}

void PartitionPump::learn(const SourceState& state, MonoTime now) {
  bool first_news = !source_answered_;
  source_answered_ = true;
  last_news_ = now;
  if (state.log_start != source_.log_start || state.leader_epoch != source_.leader_epoch || first_news)
    source_sent_ = false;
  bool log_start_moved = !first_news && state.log_start > source_.log_start;
  if (state.high_watermark > source_.high_watermark || first_news)
    high_watermarks_.rose(state.high_watermark, target_end_, now);
  else if (state.high_watermark < source_.high_watermark)
    high_watermarks_.fell(state.high_watermark);
  source_ = state;
  if (log_start_moved) listener_.pump_log_start_moved(key_, source_.log_start);
}

void PartitionPump::note_caught_up() {
  bool now_there = target_high_watermark_ >= source_.high_watermark && source_answered_;
  if (now_there && !caught_up_) listener_.pump_caught_up(key_);
  caught_up_ = now_there;
}

size_t PartitionPump::on_fetched(uint32_t generation, SourceOffset asked, BatchRun run, const SourceState& state,
                                 MonoTime now) {
  if (generation != generation_ || phase_ != PumpPhase::kRunning || asked != fetch_offset()) return 0;
  learn(state, now);
  strange_epochs_ = 0;
  if (seek_ >= SourceOffset(0) && !found_log_start(run, state)) return 0;
  size_t before = 0;
  while (before < run.batches.size() && next_of(run.batches[before]) <= received_end_) ++before;
  if (before) (void)run.take_front(before);

  RunCheck check = check_run(run, received_end_, received_epoch_, state.log_start, options_.verify_crc);
  if (check.verdict == RunCheck::Verdict::kDiverged) {
    const LogEpoch epoch = run.batches.front().epoch();
    const SourceOffset first = first_of(run.batches.front());
    // An empty log that was set to a place inside this batch: it holds nothing that could differ.
    if (received_end_ == target_end_ && target_log_start_ >= target_end_)
      reset({ControlRequest::Kind::kTruncate, first, epoch});
    else
      diverge(epoch, first);
    return 0;
  }
  if (check.verdict == RunCheck::Verdict::kRetentionGap) {
    seek(state.log_start);
    (void)found_log_start(run, state);
    return 0;
  }
  if (check.good > 0) {
    corrupt_fetches_ = 0;
    received_end_ = check.end;
    received_epoch_ = check.epoch;
    batches_ += check.good;
    bytes_ += check.good_bytes;
    caught_up_ = false;
    if (check.good == run.batches.size())
      held().ready.append(std::move(run));
    else
      held().ready.append(run.take_front(check.good));
  }
  // If the source appends after reading its high watermark and before reading the bytes, the watermark in its response
  // is below the end of the bytes.
  if (source_.high_watermark < received_end_) source_.high_watermark = received_end_;
  if (check.bad.code != ErrorCode::kNone) on_bad_bytes(generation, check.bad);
  if (phase_ != PumpPhase::kRunning) return 0;
  note_caught_up();
  if (can_send()) driver_.pump_can_send(*this);
  size_t buffered = held_ ? held_->ready.bytes() : 0;
  return buffered >= options_.buffered_bytes_max ? 0 : options_.buffered_bytes_max - buffered;
}

void PartitionPump::on_bad_bytes(uint32_t generation, const Error& error) {
  if (generation != generation_ || phase_ != PumpPhase::kRunning) return;
  driver_.pump_problem(*this, PumpProblem::kCorrupt, error);
  if (++corrupt_fetches_ >= options_.corrupt_fetches_max) return fail(error.in(place(key_, received_end_)));
  driver_.pump_fetch_changed(*this);
}

void PartitionPump::diverge(LogEpoch epoch, SourceOffset end) {
  driver_.pump_problem(*this, PumpProblem::kDiverged, Error(ErrorCode::kConflict));
  const Divergence found{epoch, end, target_log_start_, target_end_, received_epoch_};
  if (options_.on_divergence == OnMismatch::kStop) {
    listener_.pump_diverged(key_, found.lost(), false);
    return fail(found.other_history().in(place(key_, received_end_)));
  }
  if (!options_.may_cut_all && found.leaves_nothing()) {
    listener_.pump_would_lose_all(key_, found.everything());
    return fail(found.nothing_in_common().in(place(key_, received_end_)));
  }
  reset({ControlRequest::Kind::kTruncate, end, epoch});
}

void PartitionPump::on_source_state(uint32_t generation, const SourceState& state, MonoTime now) {
  if (generation == generation_ && phase_ == PumpPhase::kRunning && state.high_watermark >= SourceOffset(0))
    learn(state, now);
}

void PartitionPump::on_late_answer(const SourceState& state, MonoTime now) {
  if (state.high_watermark >= SourceOffset(0)) learn(state, now);
}

void PartitionPump::on_diverged(uint32_t generation, LogEpoch epoch, SourceOffset end) {
  if (generation != generation_ || phase_ != PumpPhase::kRunning) return;
  diverge(epoch, end);
}

void PartitionPump::seek(SourceOffset log_start) {
  seek_ = log_start;
  driver_.pump_fetch_changed(*this);
}

bool PartitionPump::found_log_start(const BatchRun& run, const SourceState& state) {
  auto holds = std::find_if(run.batches.begin(), run.batches.end(),
                            [this](const BatchHeader& batch) { return next_of(batch) > seek_; });
  if (holds == run.batches.end()) {
    // An empty log: whatever comes begins at its start.
    if (run.empty() && state.high_watermark <= seek_) retention_gap(seek_);
    return false;
  }
  if (first_of(*holds) <= received_end_) {
    seek_ = SourceOffset(-1);
    return true;
  }
  retention_gap(std::min(first_of(*holds), seek_));
  return false;
}

void PartitionPump::retention_gap(SourceOffset to) {
  driver_.pump_problem(*this, PumpProblem::kGap, Error(ErrorCode::kOutOfRange));
  if (options_.on_retention_gap == OnMismatch::kStop) {
    const SourceOffset log_start = std::max(to, source_.log_start);
    listener_.pump_retention_gap(key_, received_end_, log_start, false);
    fail(Error(ErrorCode::kOutOfRange,
               "the source deleted offsets up to " + std::to_string(log_start.value()) + " before they were mirrored")
             .in(place(key_, received_end_)));
    return;
  }
  reset({ControlRequest::Kind::kAdvance, to, LogEpoch(-1)});
}

void PartitionPump::on_out_of_range(uint32_t generation, const SourceState& state, SourceOffset end, MonoTime now) {
  if (generation != generation_ || phase_ != PumpPhase::kRunning) return;
  learn(state, now);
  if (received_end_ < state.log_start) return seek(state.log_start);
  seek_ = SourceOffset(-1);
  if (received_end_ > end) return diverge(received_epoch_, end);
  // It is in range by now; or the source knows neither our last epoch nor a higher one, and refuses every fetch with
  // it.
  if (++strange_epochs_ >= options_.strange_epochs_max) return diverge(LogEpoch(-1), state.log_start);
  driver_.pump_fetch_changed(*this);
}

void PartitionPump::on_topic_gone(const Error& why) {
  if (phase_ == PumpPhase::kFailed) return;
  fail_unannounced(why);
  listener_.pump_topic_gone(key_, why);
}

bool PartitionPump::can_send() const {
  if (phase_ != PumpPhase::kRunning) return false;
  if (held_ && !held_->ready.empty()) return true;
  return !source_sent_ && (!held_ || held_->idle());
}

size_t PartitionPump::ready_bytes() const { return held_ ? held_->ready.bytes() : 0; }

std::optional<Pumped> PartitionPump::take(size_t bytes_max, BatchQueue::Joins joins) {
  if (!can_send()) return std::nullopt;
  Pumped pumped;
  pumped.pump = this;
  pumped.key = key_;
  pumped.generation = generation_;
  pumped.session = session_;
  pumped.expected_end = sent_end_;
  pumped.epoch_before = sent_epoch_;
  pumped.source = source_;
  Held& held = this->held();
  if (!held.ready.empty()) {
    bool was_full = held.ready.bytes() >= options_.buffered_bytes_max;
    pumped.run = held.ready.take(bytes_max, joins);
    sent_end_ = next_of(pumped.run.batches.back());
    sent_epoch_ = pumped.run.batches.back().epoch();
    if (was_full && held.ready.bytes() < options_.buffered_bytes_max) driver_.pump_fetch_changed(*this);
  }
  held.sent.push_back(sent_end_);
  source_sent_ = true;
  return pumped;
}

void PartitionPump::on_appended(uint32_t generation, const AppendAck& ack) {
  if (generation != generation_ || phase_ != PumpPhase::kRunning || !held_) return;
  auto& sent = held_->sent;
  if (!sent.empty()) sent.erase(sent.begin());  // answers come in the order of the appends
  // That a target takes an append without batches says nothing about why it refused one with (a full disk): only
  // progress ends the waiting, or that there is nothing more to append.
  if (ack.end > target_end_ || ack.end >= source_.high_watermark) failed_appends_ = 0;
  target_end_ = ack.end;
  target_high_watermark_ = ack.high_watermark;
  target_log_start_ = ack.log_start;
  note_caught_up();
  if (held_->idle()) clear_held();
  if (can_send()) driver_.pump_can_send(*this);
}

void PartitionPump::on_append_failed(uint32_t generation, const Error& error, std::optional<TargetState> now_has) {
  if (generation != generation_ || phase_ != PumpPhase::kRunning) return;
  driver_.pump_problem(*this, PumpProblem::kAppend, error);
  if (is_final_refusal(error.code, failed_appends_)) return fail(error.in("append of " + place(key_, target_end_)));
  if (failed_appends_ < 255) ++failed_appends_;
  reset({ControlRequest::Kind::kOpen, {}, LogEpoch(-1)});
  if (now_has) on_target(generation_, *now_has, {});
}

ControlRequest PartitionPump::control_request() const {
  return phase_ == PumpPhase::kWaitingForControl ? control_request_ : ControlRequest{};
}

void PartitionPump::name_losses(const TargetState& state, LostRange lost) {
  using Kind = ControlRequest::Kind;
  const ControlRequest before = std::exchange(unanswered_, {});
  if (control_request_.kind == Kind::kAdvance && state.end > received_end_) {
    listener_.pump_retention_gap(key_, received_end_, std::max(state.end, source_.log_start), true);
  } else if (before.kind == Kind::kAdvance && state.log_start > before.offset) {
    listener_.pump_retention_gap(key_, before.offset, state.log_start, true);
  }
  if (lost.empty() && before.kind == Kind::kTruncate && state.end < before.offset)
    lost = {state.end, before.offset, before.epoch, before.epoch};
  if (lost.empty()) return;
  lost.last_epoch = std::max(lost.last_epoch, received_epoch_);
  listener_.pump_diverged(key_, lost, true);
}

void PartitionPump::on_target(uint32_t generation, const TargetState& state, LostRange lost) {
  if (generation != generation_ || phase_ != PumpPhase::kWaitingForControl) return;
  name_losses(state, lost);
  if (control_request_.kind == ControlRequest::Kind::kTruncate) {
    if (state.end >= received_end_ && state.last_epoch == received_epoch_)
      return fail(
          Error(ErrorCode::kConflict, "source and target cannot agree where they diverged (the source says epoch " +
                                          std::to_string(control_request_.epoch.value()) + " ends at " +
                                          std::to_string(control_request_.offset.value()) + ")")
              .in(place(key_, received_end_)));
  }
  ++generation_;
  phase_ = PumpPhase::kRunning;
  control_request_ = {};
  session_ = state.session;
  opened_ = true;
  refused_controls_ = strange_epochs_ = 0;
  seek_ = SourceOffset(-1);
  target_end_ = state.end;
  if (!options_.test_only_resume_from_memory || received_end_ == SourceOffset(0)) {
    received_end_ = state.end;
    received_epoch_ = state.last_epoch;
  }
  sent_end_ = received_end_;
  sent_epoch_ = received_epoch_;
  target_high_watermark_ = state.high_watermark;
  target_log_start_ = state.log_start;
  source_sent_ = !source_answered_;  // nothing is known yet that could be told
  caught_up_ = false;
  driver_.pump_fetch_changed(*this);
  if (can_send()) driver_.pump_can_send(*this);
}

void PartitionPump::on_control_failed(uint32_t generation, const Error& error) {
  if (generation != generation_ || phase_ != PumpPhase::kWaitingForControl) return;
  driver_.pump_problem(*this, PumpProblem::kControlRequest, error);
  if (is_final_refusal(error.code, refused_controls_)) return fail(error.in("opening " + place(key_, target_end_)));
  if (refused_controls_ < 255) ++refused_controls_;
  if (control_request_.kind == ControlRequest::Kind::kTruncate)
    unanswered_ = {control_request_.kind, target_end_, received_epoch_};
  if (control_request_.kind == ControlRequest::Kind::kAdvance)
    unanswered_ = {control_request_.kind, received_end_, received_epoch_};
  // The session of a truncation ended meanwhile: a new one, and the source will say again that it differs.
  if (error.code == ErrorCode::kConflict && control_request_.kind != ControlRequest::Kind::kOpen)
    reset({ControlRequest::Kind::kOpen, {}, LogEpoch(-1)});
}

void PartitionPump::pause() {
  if (phase_ == PumpPhase::kPaused || phase_ == PumpPhase::kFailed) return;
  ++generation_;
  clear_held();
  phase_ = PumpPhase::kPaused;
  driver_.pump_fetch_changed(*this);
}

void PartitionPump::resume() {
  if (phase_ == PumpPhase::kPaused) reset({ControlRequest::Kind::kOpen, {}, LogEpoch(-1)});
}

void PartitionPump::restart() {
  failure_.reset();
  corrupt_fetches_ = refused_controls_ = failed_appends_ = 0;
  reset({ControlRequest::Kind::kOpen, {}, LogEpoch(-1)});
}

PumpProgress PartitionPump::progress(MonoTime now) const {
  PumpProgress progress;
  progress.phase = phase_;
  progress.source = source_;
  progress.opened = opened_;
  progress.target_end = target_end_;
  progress.target_high_watermark = target_high_watermark_;
  progress.target_log_start = target_log_start_;
  progress.sent_end = sent_end_;
  progress.sent_epoch = sent_epoch_;
  progress.lag_offsets = std::max<int64_t>(0, source_.high_watermark - target_high_watermark_);
  progress.lag = high_watermarks_.lag(target_high_watermark_, now);
  // A target that lost its last records lacks what was known before.
  if (progress.lag_offsets > 0 && source_answered_) progress.lag = std::max<Duration>(progress.lag, now - last_news_);
  progress.bytes = bytes_;
  progress.batches = batches_;
  progress.buffered_bytes = held_ ? held_->ready.bytes() : 0;
  progress.last_news = last_news_;
  if (failure_) progress.failure = *failure_;
  return progress;
}

}  // namespace farshore::replicator
