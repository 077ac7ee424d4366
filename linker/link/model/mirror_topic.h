// MirrorTopic: one topic at the target that a link fills, or has filled: its state with the reason, its pumps (one per
// partition), and its promotion record once it was ended. Only the methods here change the state, and only along the
// table of mirror_state.h (ensure'd); each change is logged.
//
// Pumps belong to one identity: the pair of topic ids at both ends. Another identity is another mirror, so its pumps
// are new ones (identify()). A state and the pumps go together: a topic that leaves FAILED has no failed pump any more
// (resume(), retry()), and one with a failed pump becomes FAILED (MirrorTopics::fail_with_their_pumps()).
// Executor: the Env's. Owner: MirrorTopics.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "linker/target/link_target.h"
#include "proto/link/mirror_state.h"

namespace farshore::linker {

inline constexpr std::string_view kLeftOutName = "LEFT_OUT";  // of MirrorTopic::left_out(), beside the states' names

class MirrorTopic {
 public:
  // PENDING, without pumps. `link` is the link's name, for the log. References outlive it.
  MirrorTopic(Env& env, replicator::Replicator& replicator, std::string link, std::string name,
              std::string source_topic);
  MirrorTopic(const MirrorTopic&) = delete;
  MirrorTopic& operator=(const MirrorTopic&) = delete;

  const std::string& name() const { return name_; }  // at the target
  const std::string& source_topic() const { return source_topic_; }
  TargetTopicId id() const { return id_; }  // at the target; zero: not known yet
  // What the link has made is there, as far as is known; it may have to be made anew, or to be filled again.
  bool at_target() const { return !id_.is_zero() && !gone_at_target_; }
  SourceTopicId source_id() const { return source_id_; }
  MirrorState state() const { return state_; }
  // For people: LEFT_OUT is told from PENDING, which it is in the table.
  std::string_view state_name() const { return left_out_ ? kLeftOutName : farshore::name(state_); }
  std::string state_and_reason() const;  // "FAILED (REASON)"
  // Why it is in this state; where the state needs no reason, a remark about the topic.
  const std::string& reason() const { return reason_.empty() ? remark_ : reason_; }
  int64_t since_ms() const { return since_ms_; }            // wall clock, Unix epoch
  bool pumping() const { return farshore::pumps(state_); }  // records flow in this state
  bool ending() const;                                      // ended, or being promoted: discovery leaves it alone
  const std::vector<LinkPartition>& pumps() const { return pumps_; }  // by partition
  bool has_pump(const LinkPartition& key) const;
  const std::optional<PromotionRecord>& promotion() const { return promotion_; }
  TargetTopic as_target_topic() const;

  // All partitions are at the source's end now, as far as the source has said.
  bool caught_up_now() const;
  bool has_failed_pump() const;
  // They were, at least once since this gateway runs.
  bool was_caught_up() const { return was_caught_up_; }
  void note_caught_up() { was_caught_up_ = was_caught_up_ || caught_up_now(); }

  // The source compacts it: the mirror keeps what the source removes, until the mirror ends.
  bool compacted() const { return compacted_; }
  void set_compacted(bool compacted) { compacted_ = compacted; }

  // Configs in which the target differs from the source, in words.
  const std::vector<std::string>& drift() const { return drift_; }
  void set_drift(std::vector<std::string> drift) { drift_ = std::move(drift); }

  // The source offset below which translation data was deleted at the target. Reset together with the pumps.
  SourceOffset dropped_below(const LinkPartition& key) const;
  void set_dropped_below(const LinkPartition& key, SourceOffset offset);

  // The topic as it is at the target. If it is another topic than before, at either end, its pumps go.
  void identify(TargetTopicId id, SourceTopicId source_id);
  void set_remark(std::string remark) { remark_ = std::move(remark); }
  // Adds pumps until there are `partitions`, then ACTIVE; or PAUSED, if its operator paused the topic. Pumps are paused
  // too if the whole link is.
  void start(int32_t partitions, bool topic_paused, bool link_paused);
  void pause_pumps();    // all that have not failed
  void unpause_pumps();  // the same
  void resume_pumps();   // those that have failed, too
  void pause();          // the state alone; also by resume()
  void resume();
  // The operator resumes a FAILED topic: its pumps are restarted, and are paused if the whole link is. If it has none,
  // or is gone at the target, it becomes PENDING, and discovery makes it again.
  void retry(bool link_paused);
  // Why the target does not have a topic that is PENDING. In any other state nothing happens.
  void wait_because(std::string reason);
  // A topic that is PENDING is left out: the target can have no such mirror, and nobody has to do anything. Shown as a
  // state of its own, kLeftOutName, with the reason; it ends when the topic is made after all, or is resumed.
  void leave_out(std::string reason);
  bool left_out() const { return left_out_; }
  void fail(std::string reason);                // FAILED; the pumps stay as they are
  void fail_and_stop(std::string reason);       // FAILED, without pumps
  void fail_gone(std::string reason);           // FAILED, because the target does not have it any more; the pumps stay
  void fail_gone_and_stop(std::string reason);  // the same, without pumps
  void source_is_silent();                      // ACTIVE -> SOURCE_UNAVAILABLE
  void source_answers();                        // SOURCE_UNAVAILABLE -> ACTIVE
  void begin_promotion();                       // PENDING_STOPPED
  void give_up_promotion();                     // PENDING_STOPPED -> ACTIVE; in any other state nothing happens
  // STOPPED, without pumps. The record holds for ever.
  void end(PromotionRecord record);
  // Some partitions were offline at the target when the mirror ended, and their ends are not known yet.
  bool has_open_ends() const;
  // Takes ends that were found since, from the target's record.
  void complete_ends(const PromotionRecord& newer);

 private:
  void set_state(MirrorState state, std::string reason);
  void stop_pumps();

  Env& env_;
  replicator::Replicator& replicator_;
  const std::string link_, name_, source_topic_;
  TargetTopicId id_;
  SourceTopicId source_id_;
  MirrorState state_ = MirrorState::kPending;
  std::string reason_, remark_;
  bool left_out_ = false;  // only if it is PENDING
  bool gone_at_target_ = false;
  int64_t since_ms_;
  std::vector<LinkPartition> pumps_;
  std::vector<SourceOffset> dropped_below_;  // by partition
  bool compacted_ = false;
  std::vector<std::string> drift_;
  bool was_caught_up_ = false;
  std::optional<PromotionRecord> promotion_;
};

}  // namespace farshore::linker
