#include "linker/orphan_failover.h"

#include <algorithm>

#include "linker/link/model/promotion_api.h"
#include "proto/link/end_report.h"
#include "proto/link/keys.h"

namespace farshore::linker {

std::string OrphanFailover::link_of(const MirrorTopicAnswer& topic) const {
  const auto found = stored_.find(LinkId(topic.link_id));
  return found == stored_.end() ? std::string() : found->second;
}

Task<Status> OrphanFailover::load(Deadline deadline) {
  CO_CHECK(links_.check_ready());
  CO_TRY(const ClusterIdentity target, co_await identify(target_, deadline));
  if (!target.farshore)
    co_return Error(ErrorCode::kInvalidArgument,
                    "the target is no Farshore cluster, so it has no mirrors: what a relay has written there is an "
                    "ordinary topic, and clients can write to it already");
  auto stored = co_await links_.backend()->store().links(deadline);
  if (!stored) co_return std::move(stored).error().in("target");
  for (const auto& entry : *stored) {
    auto link = decode_stored_link(entry.value);
    if (link)
      stored_[link->id] = link->spec.name;
    else
      unreadable_ = entry.key;
  }
  auto names = co_await links_.backend()->store().names(deadline);
  if (!names) co_return std::move(names).error().in("target");
  names_ = std::move(*names);
  co_return ok();
}

Task<Status> OrphanFailover::complete(std::string topic, PromotionRecord& record, Deadline deadline) {
  for (const auto& name : names_) {
    CO_TRY(const StoredEntry entry, co_await links_.backend()->store().read(end_report_key(name, topic), deadline));
    if (entry.revision == 0) continue;
    auto report = decode_end_report(entry.value);
    if (report) apply(*report, record);  // if it is about this end
  }
  co_return ok();
}

Task<Result<std::vector<std::string>>> OrphanFailover::find(Deadline deadline) {
  if (!unreadable_.empty())
    co_return Error(ErrorCode::kCorrupt, "the stored link '" + unreadable_ +
                                             "' cannot be read, so it is not known which mirrors are its own: name the "
                                             "topics instead of --all");
  auto view = co_await target_.client().refresh_all(deadline);
  if (!view) co_return std::move(view).error().in("target");
  std::vector<std::pair<std::string, int32_t>> topics;
  for (const auto& entry : (*view)->topics) topics.emplace_back(entry.first, 0);
  auto answers = co_await mirrors_.describe_all(std::move(topics), deadline);
  if (!answers) co_return std::move(answers).error().in("target");
  std::vector<std::string> orphans;
  size_t linked = 0, ended_before = 0;
  for (const auto& answer : *answers) {
    if (answer.error_code != 0 || role_of(answer) == MirrorRole::kNotMirror) continue;
    if (ended(role_of(answer)))
      ++ended_before;
    else if (!link_of(answer).empty())
      ++linked;
    else
      orphans.push_back(answer.name.value_or(""));
  }
  if (orphans.empty())
    co_return Error(ErrorCode::kNotFound, "no mirror at the target has lost its link: " + std::to_string(linked) +
                                              " belong to a link (give --link), " + std::to_string(ended_before) +
                                              " have ended before");
  co_return orphans;
}

Task<Status> OrphanFailover::run(std::string topic, bool dry_run, TopicVerb::Progress progress, CallerPtr caller,
                                 Deadline deadline) {
  const MonoTime begun = env_.now();
  auto there = co_await mirrors_.describe(topic, 0, deadline);
  if (!there) co_return std::move(there).error().in("target: topic " + topic);
  const MirrorRole role = role_of(*there);
  if (role == MirrorRole::kNotMirror)
    co_return Error(ErrorCode::kInvalidArgument,
                    "topic " + topic + " at the target is no mirror: clients can write to it already");
  const std::string link = link_of(*there);
  if (!link.empty())
    co_return Error(ErrorCode::kInvalidArgument,
                    "topic " + topic + " belongs to link " + link + ": give --link " + link);
  StillWanted wanted = still_wanted(std::move(caller));
  auto at_target =
      co_await mirrors_.end(LinkId(there->link_id), LinkEpoch(there->link_epoch), TargetTopicId(there->topic_id),
                            std::nullopt, dry_run, std::move(wanted), deadline);
  if (!at_target) co_return std::move(at_target).error().in("target: topic " + topic);
  PromotionRecord record = get_promotion(*at_target);
  if (ended(role)) CO_CHECK(co_await complete(topic, record, deadline));
  api::VerbProgress done;
  done.set_topic(topic);
  done.set_done(true);
  done.set_step(ended(role) ? "was ended before"
                : dry_run   ? "would end the mirror now; its link was deleted"
                            : "the mirror has ended; " + writable_partitions(record));
  done.set_rto_ms(std::max<int64_t>(1, std::chrono::duration_cast<milliseconds>(env_.now() - begun).count()));
  auto& mirror = *done.mutable_mirror();
  mirror.set_topic(topic);
  mirror.set_source_topic(there->source_topic.value_or(""));
  *mirror.mutable_promotion() = to_api(record);
  progress(std::move(done));
  co_return ok();
}

}  // namespace farshore::linker
