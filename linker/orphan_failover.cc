#include "linker/orphan_failover.h"

#include "linker/link/model/promotion_api.h"

namespace farshore::linker {

std::string OrphanFailover::link_of(const MirrorTopicAnswer& topic) const {
  for (const auto& [name, link] : links_.all())
    if (link->definition().id == LinkId(topic.link_id)) return name;
  return "";
}

Task<Result<std::vector<std::string>>> OrphanFailover::find(Deadline deadline) {
  CO_CHECK(links_.check_ready());
  auto view = co_await target_.client().refresh_all(deadline);
  if (!view) co_return std::move(view).error().in("target");
  std::vector<std::pair<std::string, int32_t>> topics;
  for (const auto& [name, topic] : (*view)->topics)
    if (topic.error_code == 0) topics.emplace_back(name, 0);
  auto answers = co_await mirrors_.describe_all(std::move(topics), deadline);
  if (!answers) co_return std::move(answers).error().in("target");
  std::vector<std::string> orphans;
  for (const auto& answer : *answers)
    if (answer.error_code == 0 && role_of(answer) == MirrorRole::kMirror && link_of(answer).empty())
      orphans.push_back(answer.name.value_or(""));
  co_return orphans;
}

Task<Result<api::VerbProgress>> OrphanFailover::run(std::string topic, bool dry_run, CallerPtr caller,
                                                    Deadline deadline) {
  CO_CHECK(links_.check_ready());
  auto there = co_await mirrors_.describe(topic, 0, deadline);
  if (!there) co_return std::move(there).error().in("target: topic " + topic);
  const MirrorRole role = role_of(*there);
  if (role == MirrorRole::kNotMirror)
    co_return Error(ErrorCode::kInvalidArgument,
                    "topic " + topic + " at the target is no mirror: clients can write to it already");
  const std::string link = link_of(*there);
  if (role == MirrorRole::kMirror && !link.empty())
    co_return Error(ErrorCode::kInvalidArgument,
                    "topic " + topic + " belongs to link " + link + ": give --link " + link);
  auto ended =
      co_await mirrors_.end(LinkId(there->link_id), LinkEpoch(there->link_epoch), TargetTopicId(there->topic_id),
                            std::nullopt, dry_run, still_wanted(std::move(caller)), deadline);
  if (!ended) co_return std::move(ended).error().in("target: topic " + topic);
  api::VerbProgress done;
  done.set_topic(topic);
  done.set_done(true);
  done.set_step(role != MirrorRole::kMirror ? "was ended before"
                : dry_run                   ? "would end the mirror now; its link was deleted"
                                            : "the mirror has ended; the topic is writable");
  auto& mirror = *done.mutable_mirror();
  mirror.set_topic(topic);
  mirror.set_source_topic(there->source_topic.value_or(""));
  *mirror.mutable_promotion() = to_api(get_promotion(*ended));
  co_return done;
}

}  // namespace farshore::linker
