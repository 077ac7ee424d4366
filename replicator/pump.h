// PartitionPump: moves one partition's batches from source to target, in order, bytes unchanged, and decides what to do
// when the two no longer agree. It is a passive state object: no I/O, no coroutine, no clock. A fetcher asks for the
// next position and hands in fetched batches. A sink takes ready batches and hands in the target's answers. The
// replicator carries out the pump's control requests at the target (ControlRequest: open, truncate, advance).
//
// Each reset (an append that failed, a divergence, a new session) begins a new generation. Batches and answers of an
// older generation are ignored. The pump stores no position: after a reset it continues at the log end that the target
// reports.
//
// Only ends of batches are positions. The source's log start may be inside a batch (DeleteRecords). Where it lies
// behind the target's end, the pump looks for the batch that holds it (on_out_of_range), and the target goes on at that
// batch's base offset, or with the batch itself if that is where the target ends. Executor: its replicator's, for all
// calls. Memory: at most PumpOptions::buffered_bytes_max plus one fetch response of batches, at most 512 bytes when
// idle.
#pragma once

#include <memory>
#include <string>

#include "proto/batch/batch_queue.h"
#include "replicator/high_watermarks.h"
#include "replicator/source_state.h"

namespace farshore::replicator {

enum class OnMismatch : uint8_t {
  kFollow,  // truncate to the common point, or continue at the source's log start; the lost range is named
  kStop     // stop the partition and say why
};

struct PumpOptions {
  bool verify_crc = true;                // once, on receipt
  size_t buffered_bytes_max = 16 << 20;  // received and not yet taken by the sink
  OnMismatch on_divergence = OnMismatch::kFollow;
  // With kFollow: also if nothing would be left of the target's log. Otherwise the partition stops: a source that lost
  // everything, or was made anew, takes the last copy with it only on an operator's word.
  bool may_cut_all = false;
  OnMismatch on_retention_gap = OnMismatch::kFollow;
  int corrupt_fetches_max = 3;  // in a row, before the partition is failed
  int strange_epochs_max = 3;   // in a row, before the source counts as one without a common history
  // An injected defect, for the simulation to find: after a reset it goes on where it was, not where the target is.
  bool test_only_resume_from_memory = false;
};

enum class PumpProblem : uint8_t {
  kAppend,          // an append was refused, or its answer is lost
  kControlRequest,  // a control request was refused: open, truncate or advance
  kCorrupt,         // bytes from the source are damaged, or their offsets or epochs are out of order
  kDiverged,        // the source has another history than the target
  kGap              // the source deleted what was not mirrored yet
};

// Carries out a pump's control requests (ControlRequest). Called from inside the pump's calls: an implementation notes
// the call and acts later.
class PumpDriver {
 public:
  virtual ~PumpDriver() = default;
  virtual void pump_can_send(PartitionPump& pump) = 0;       // take() has something
  virtual void pump_fetch_changed(PartitionPump& pump) = 0;  // next() answers differently than it did
  virtual void pump_needs_control(PartitionPump& pump) = 0;  // control_request() is not kNone
  // For metrics: called at each occurrence. Consequences are reported through PumpListener.
  virtual void pump_problem(PartitionPump&, PumpProblem, const Error&) {}
};

// Is notified of events. Called from inside the pump's calls: an implementation notes the call and acts later.
class PumpListener {
 public:
  virtual ~PumpListener() = default;
  virtual void pump_caught_up(const LinkPartition& key) = 0;  // once each time the target reaches the source's HW
  // The target had records that are not in the source's history any more. `cut`: they were removed; otherwise the
  // partition is stopped.
  virtual void pump_diverged(const LinkPartition& key, LostRange lost, bool cut) = 0;
  // Nothing that the target has is in the source's history any more, and it may not be cut to nothing. The partition is
  // stopped.
  virtual void pump_would_lose_all(const LinkPartition& key, LostRange lost) { pump_diverged(key, lost, false); }
  // The source deleted [from, to) before it could be mirrored. `skipped`: mirroring goes on behind it.
  virtual void pump_retention_gap(const LinkPartition& key, SourceOffset from, SourceOffset to, bool skipped) = 0;
  virtual void pump_log_start_moved(const LinkPartition& key, SourceOffset log_start) = 0;
  // The source topic was deleted, or another topic has its name. The pump has failed; pump_failed() is not called.
  virtual void pump_topic_gone(const LinkPartition& key, const Error& why) = 0;
  // Stays so until restart(). kNotFound: the target does not have the topic any more.
  virtual void pump_failed(const LinkPartition& key, const Error& why) = 0;
};

enum class PumpPhase : uint8_t {
  kWaitingForControl,  // a control request must be carried out at the target first: control_request()
  kRunning,
  kPaused,
  kFailed
};

// A control request: an operation that the target must carry out before batches can flow.
struct ControlRequest {
  enum class Kind : uint8_t { kNone, kOpen, kTruncate, kAdvance };
  Kind kind = Kind::kNone;
  SourceOffset offset;  // truncate: the source's end of `epoch`; advance: the new log start
  LogEpoch epoch{-1};   // truncate: the source's largest epoch that is not above the target's last
};

struct PumpProgress {
  PumpPhase phase = PumpPhase::kWaitingForControl;
  SourceState source;
  bool opened = false;  // the target has said what it has: before that, the offsets below say nothing
  SourceOffset target_end, target_high_watermark, target_log_start;
  SourceOffset sent_end;  // the target has this, or it is on its way
  LogEpoch sent_epoch{-1};
  int64_t lag_offsets = 0;
  Duration lag{};  // how long the oldest offset that is known at the source and lacking here has been known
  uint64_t bytes = 0, batches = 0;
  size_t buffered_bytes = 0;
  MonoTime last_news;  // last time that the source mentioned this partition; MonoTime(): it never did
  Error failure;       // of kFailed
};

class PartitionPump {
 public:
  // `options`, `driver` and `listener` outlive the pump. Its first control_request() is kOpen.
  PartitionPump(LinkPartition key, const PumpOptions& options, PumpDriver& driver, PumpListener& listener);
  ~PartitionPump();
  PartitionPump(const PartitionPump&) = delete;
  PartitionPump& operator=(const PartitionPump&) = delete;

  const LinkPartition& key() const { return key_; }
  PumpPhase phase() const { return phase_; }
  uint32_t generation() const { return generation_; }
  PumpProgress progress(MonoTime now) const;
  SourceOffset received_end() const { return received_end_; }  // of the batches that came in order
  uint64_t bytes_received() const { return bytes_; }           // taken from fetchers, ever

  // --- The fetcher's side.
  // nullopt: nothing is to be fetched now.
  std::optional<FetchPosition> next() const;
  // Takes whole batches that follow the position `asked`, checks them, and keeps them for the sink. Whole batches
  // before that position are left out. If `asked` is not the pump's current position, the answer is ignored: a fetcher
  // that reads ahead may have guessed wrong. After bad bytes the position is the end of the good batches before them.
  // Returns how much more the pump will hold: 0 means no fetch until pump_fetch_changed.
  size_t on_fetched(uint32_t generation, SourceOffset asked, BatchRun run, const SourceState& state, MonoTime now);
  // The bytes at the position are no batches. The pump fetches them again, and fails after corrupt_fetches_max times.
  void on_bad_bytes(uint32_t generation, const Error& error);
  // The source has another history. `epoch`: its largest epoch that is not above the last epoch of our request; `end`:
  // the end of that epoch at the source.
  void on_diverged(uint32_t generation, LogEpoch epoch, SourceOffset end);
  // What an answer without batches says of the source. A source that lost records says its new high watermark together
  // with the divergence, and in a fetch session never again (KIP-227).
  void on_source_state(uint32_t generation, const SourceState& state, MonoTime now);
  // What an answer says of the source that came too late for its batches: the pump was reset, paused or failed
  // meanwhile. It is kept in each of these phases: a fetch session says it only once (KIP-227), and what is shown of
  // the source is dated by this answer (Fetcher::known_as_of).
  void on_late_answer(const SourceState& state, MonoTime now);
  // The position is not in the source's log [log_start, end). Behind the log start of the source, the next fetch goes
  // there, to find the batch that holds it.
  void on_out_of_range(uint32_t generation, const SourceState& state, SourceOffset end, MonoTime now);
  // The topic with this id is not there any more.
  void on_topic_gone(const Error& why);

  // --- The sink's side.
  bool can_send() const;
  size_t ready_bytes() const;
  // The next run to append, of about `bytes_max` (at least one batch; no more than `joins` takes together). Empty: the
  // append carries only the source's state.
  std::optional<Pumped> take(size_t bytes_max, BatchQueue::Joins joins = nullptr);
  void on_appended(uint32_t generation, const AppendAck& ack);
  // `now_has`: the target's state, if its answer contained one (with a new session).
  void on_append_failed(uint32_t generation, const Error& error, std::optional<TargetState> now_has);

  // --- The control side: requests to the target that must be answered before bytes can flow.
  ControlRequest control_request() const;
  PumpSession session() const { return session_; }
  // Appends that failed since the last success. The driver's backoff before the next control request grows with it.
  int failed_appends() const { return failed_appends_; }
  // The control request succeeded, whichever it was. `lost`: the range that a truncation removed.
  void on_target(uint32_t generation, const TargetState& state, LostRange lost);
  // The control request failed. It stays (the driver tries again after its backoff), unless the error is final.
  void on_control_failed(uint32_t generation, const Error& error);

  void pause();
  void resume();   // opens a new session
  void restart();  // out of kFailed, or anywhere: forget everything, open

 private:
  struct Held;  // the state that only a running pump needs

  void reset(ControlRequest control_request);
  void fail(Error error);
  void fail_unannounced(Error error);
  void clear_held();
  void learn(const SourceState& state, MonoTime now);
  SourceOffset fetch_offset() const { return seek_ >= SourceOffset(0) ? seek_ : received_end_; }
  void seek(SourceOffset log_start);
  // Of an answer to a fetch at the source's log start: false if the target has to go elsewhere first, or more must
  // come.
  bool found_log_start(const BatchRun& run, const SourceState& state);
  void retention_gap(SourceOffset to);
  void diverge(LogEpoch epoch, SourceOffset end);
  // Tells the listener what a truncation or advance has removed, also one whose answer was lost.
  void name_losses(const TargetState& state, LostRange lost);
  void note_caught_up();
  Held& held();

  LinkPartition key_;
  const PumpOptions& options_;
  PumpDriver& driver_;
  PumpListener& listener_;
  uint32_t generation_ = 1;
  PumpPhase phase_ = PumpPhase::kWaitingForControl;
  bool source_sent_ = true;  // the target knows the source's log start and leader epoch
  bool caught_up_ = false;
  bool source_answered_ = false;  // the source has said something about this partition
  bool opened_ = false;           // the target has, too
  uint8_t corrupt_fetches_ = 0;
  uint8_t strange_epochs_ = 0;  // answers in a row in which the source did not know our last epoch
  uint8_t failed_appends_ = 0, refused_controls_ = 0;  // in a row
  ControlRequest control_request_;
  // A truncation or advance that may have been carried out, although its answer was lost. `offset`: where the target
  // ended before. It is compared with where the target ends when it is opened again.
  ControlRequest unanswered_;
  PumpSession session_;
  SourceState source_;
  SourceOffset received_end_;  // next to fetch
  SourceOffset sent_end_;      // next to send
  SourceOffset seek_{-1};      // the source's log start, while the batch that holds it is looked for; -1: it is not
  LogEpoch received_epoch_{-1}, sent_epoch_{-1};
  SourceOffset target_end_, target_high_watermark_, target_log_start_;
  MonoTime last_news_;
  HighWatermarks high_watermarks_;  // of the source
  uint64_t bytes_ = 0, batches_ = 0;
  std::unique_ptr<Held> held_;
  std::unique_ptr<Error> failure_;
};

static_assert(sizeof(PartitionPump) <= 512, "an idle partition costs next to nothing");

}  // namespace farshore::replicator
