// LinkController: one link at work. Discovers topics at the source, has them made at the target, keeps configs and
// consumer group offsets in step, moves the bytes (replicator), and carries out promote and failover. What differs
// between mirrors and relays is in its LinkTarget. Everything durable is at the target: the controller can be killed
// anywhere, and a new one, with a higher link epoch, goes on.
// Executor: the Env's. Owner: Gateway.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async_mutex.h"
#include "base/gate.h"
#include "linker/link/group_sync_rule.h"
#include "linker/link/link_metrics.h"
#include "linker/link/target.h"
#include "linker/store/link_store.h"
#include "proto/link/group_memory.h"
#include "proto/link/keys.h"
#include "proto/link/mirror_state.h"

namespace farshore::linker {

struct LinkTask {  // how one of the periodic tasks fares
  std::string name;
  Error error;
  int64_t last_run_ms = 0, runs = 0, errors = 0;
};

class LinkController final : private replicator::PumpListener {
 public:
  // `revision` is that of the link in `store`. Connections are made through `connector`; all references outlive it.
  LinkController(Env& env, Connector& connector, SlabArena& arena, LinkStore& store, std::unique_ptr<LinkTarget> target,
                 StoredLink link, int64_t revision, replicator::ReplicatorOptions options);
  ~LinkController() override;

  void start();
  Task<void> stop();  // ends all tasks and connections; forgets nothing that is durable

  const StoredLink& link() const { return link_; }
  LinkState state() const { return state_; }
  // Waits for the first round of discovery (or its failure), so that a link that cannot work is reported at once.
  Task<Status> first_round(Deadline deadline);

  // Changes the stored definition (compare-and-set at the target) and applies it.
  using Edit = std::function<Status(StoredLink&)>;
  Task<Status> update(Edit edit, Deadline deadline);
  Task<Status> forget(Deadline deadline);  // deletes the stored link

  std::vector<std::string> mirror_names() const;
  bool has_mirror(const std::string& topic) const { return mirrors_.count(topic) != 0; }
  Task<Status> pause_mirror(std::string topic, bool paused, Deadline deadline);

  using Progress = std::function<void(api::VerbProgress)>;
  Task<Status> failover(std::string topic, bool dry_run, Progress progress, Deadline deadline);
  struct PromoteOptions {
    bool dry_run = false, source_quiesced = false, allow_source_writes = false;
    PromoteOptions() {}
  };
  Task<Status> promote(std::string topic, PromoteOptions options, Progress progress, Deadline deadline);
  using Verified = LinkTarget::Verified;
  Task<Status> verify(std::string topic, Verified verified, Deadline deadline);

  // kNotFound: no such mirror topic or partition; kOutOfRange: not at the other end.
  Task<Result<api::TranslateOffsetReply>> translate(api::TranslateOffsetRequest request);

  api::Link describe() const;
  // For /metrics; the lag of at most `topics_max` topics is told one by one.
  LinkReading read(size_t topics_max) const;
  std::optional<api::MirrorTopic> describe_mirror(const std::string& topic) const;
  api::ListGroupSyncReply group_sync() const { return group_sync_; }
  Notifier& changes() { return replicator_.changes(); }

 private:
  struct Mirror {
    std::string topic, source_topic;
    TargetTopicId id;
    SourceTopicId source_id;
    MirrorState state = MirrorState::kPending;
    std::string reason;
    int64_t since_ms = 0;
    std::vector<replicator::PumpKey> pumps;  // by partition
    std::vector<std::string> drift;
    bool caught_up = false;  // all partitions were at the source's end at once, since this gateway runs
    std::optional<PromotionRecord> promotion;
  };

  // replicator::PumpListener
  void pump_caught_up(const replicator::PumpKey& key) override;
  void pump_diverged(const replicator::PumpKey& key, replicator::LostRange lost, bool cut) override;
  void pump_retention_gap(const replicator::PumpKey& key, SourceOffset from, SourceOffset to, bool skipped) override;
  void pump_log_start_moved(const replicator::PumpKey& key, SourceOffset log_start) override;
  void pump_topic_gone(const replicator::PumpKey& key, const Error& why) override;
  void pump_failed(const replicator::PumpKey& key, const Error& why) override;

  Task<void> settle_fences();
  void take_back(const replicator::PumpKey& key, const Error& why);
  void partition_failed(const replicator::PumpKey& key, const Error& why);
  // What is stored of this link, if this gateway still has it. kConflict: another one does, or it is gone.
  Task<Result<StoredEntry>> stored_if_ours(Deadline deadline);
  // After a conflict, with storing_ held: takes what is stored, if it is of this gateway. kConflict: another one has
  // the link.
  Task<Status> reread(Deadline deadline);
  Task<void> discovery_loop();
  Task<void> group_loop();
  Task<void> watch_loop();
  Task<Status> discover(Deadline deadline);
  Task<Status> adopt(Deadline deadline);  // the mirrors that an earlier gateway made
  Task<Status> fail_gone_topics(Deadline deadline);
  Task<Status> forget_deleted_records(Deadline deadline);
  Task<Status> take_topic(TopicInfo topic, std::map<std::string, std::string> configs, Deadline deadline);
  Task<Status> sync_configs(std::map<std::string, std::map<std::string, std::string>> source, Deadline deadline);
  Task<Status> sync_groups(Deadline deadline);
  Task<Status> sync_group(GroupInfo group, bool members_at_target, Deadline deadline);
  Task<Status> remember(std::string group, GroupMemory memory, Deadline deadline);
  // Whether the target ended this mirror already, although nobody here heard the answer; then its record is taken.
  Task<Result<bool>> find_end(std::string topic, Deadline deadline);
  Status all_mirrored(const Mirror& mirror, size_t partitions);
  Task<Status> drain(std::string topic, std::map<int32_t, int64_t> ends, Progress progress, Deadline deadline);
  Task<Result<PromotionRecord>> end_topic(EndOfTopic request, Deadline deadline);
  Task<Result<std::map<int32_t, int64_t>>> source_ends(std::string source_topic, Deadline deadline);
  bool caught_up(const Mirror& mirror) const;
  void add_pumps(Mirror& mirror, int32_t partitions);
  void ended(Mirror& mirror, PromotionRecord record);
  TargetTopic target_topic(const Mirror& mirror) const;
  LinkSource source() { return {source_, source_mirrors_, source_is_farshore_}; }
  void set_state(Mirror& mirror, MirrorState state, std::string reason);
  void set_link_state(LinkState state, std::string reason);
  void stop_pumps(Mirror& mirror);
  Mirror* mirror_of(const replicator::PumpKey& key);
  void ran(LinkTask& task, const Status& status);
  std::string where(const replicator::PumpKey& key);
  int64_t wall_ms() const;

  Env& env_;
  StoredLink link_;
  int64_t revision_;
  LinkState state_ = LinkState::kActive;
  std::string state_reason_;
  int64_t state_since_ms_ = 0;
  LinkStore& store_;
  std::unique_ptr<LinkTarget> target_;
  ClusterAdmin source_;
  MirrorClient source_mirrors_;
  kafka::ClusterClient source_data_;  // of its own: bytes never wait behind metadata
  replicator::Replicator replicator_;
  bool source_is_farshore_ = false;
  bool adopted_ = false;
  bool salts_checked_ = false;             // of producer ids: the two ends differ
  std::map<std::string, Mirror> mirrors_;  // by name at the target
  std::map<replicator::PumpKey, std::string> mirror_by_pump_;
  std::map<replicator::PumpKey, SourceOffset> forgotten_below_;  // what the target keeps of them begins here
  std::map<replicator::PumpKey, Error> fenced_;  // relays; who is in control is asked for all of them at once
  bool settling_fences_ = false;
  std::map<std::string, GroupMemory> last_written_;  // by group; as it is stored
  std::map<std::string, int64_t> last_written_revision_;
  api::ListGroupSyncReply group_sync_;
  LinkTask discovery_{"topic-discovery", {}, 0, 0}, configs_{"config-sync", {}, 0, 0}, groups_{"group-sync", {}, 0, 0};
  Notifier rounds_;
  Event stopping_, wake_discovery_;
  AsyncMutex storing_, syncing_;  // the definition; the groups
  MonoTime last_source_contact_{}, rate_at_{};
  uint64_t rate_bytes_ = 0;
  double bytes_per_second_ = 0;
  Gate gate_;
};

}  // namespace farshore::linker
