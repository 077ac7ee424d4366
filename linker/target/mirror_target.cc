#include "linker/target/mirror_target.h"

#include <algorithm>

#include "linker/target/digest_comparison.h"
#include "proto/link/keys.h"
#include "proto/link/link_writer.h"

namespace farshore::linker {
namespace {

TargetTopic topic_of(const MirrorTopicAnswer& answer) {
  TargetTopic topic;
  topic.topic = answer.name.value_or("");
  topic.source_topic = answer.source_topic.value_or("");
  topic.id = TargetTopicId(answer.topic_id);
  topic.source_id = SourceTopicId(answer.source_topic_id);
  if (ended(role_of(answer))) topic.promotion = get_promotion(answer);
  return topic;
}

kafka::ClientOptions client_of(const StoredLink& link) {
  kafka::ClientOptions client;
  client.client_id = client_id_of({link.id, link.epoch});
  return client;
}

}  // namespace

MirrorTarget::MirrorTarget(Env& env, Connector& connector, const StoredLink& link)
    : env_(env),
      link_(link.id),
      epoch_(link.epoch),
      source_cluster_id_(link.spec.source_cluster_id),
      cluster_(env, connector, "target", link.spec.target, link.spec.target_cluster_id.value(), client_of(link)),
      presence_(cluster_),
      mirrors_(cluster_.client()),
      links_(cluster_.client()),
      data_(env, connector, data_cluster_options(link.spec.target, link.spec.target_cluster_id, client_of(link))),
      verify_(env, connector, data_cluster_options(link.spec.target, link.spec.target_cluster_id)),
      verify_mirrors_(verify_),
      sink_(env, data_, link_, epoch_, replicator::MirrorSinkOptions()) {}

void MirrorTarget::close() {
  cluster_.close();
  data_.close();
  verify_.close();
}

Status MirrorTarget::fits(const ClusterIdentity& target) const {
  if (target.farshore) return ok();
  return Error(ErrorCode::kInvalidArgument,
               "the target is no Farshore cluster: mirror mode keeps offsets, which only it can; use --mode relay");
}

Task<Result<std::vector<TargetTopic>>> MirrorTarget::adopt(Deadline deadline) {
  auto found = co_await mirrors_.mirrors_of(link_, deadline);
  if (!found) co_return std::move(found).error().in("target");
  std::vector<TargetTopic> topics;
  const auto view = cluster_.client().view();  // as mirrors_of() has just asked for
  for (const auto& answer : *found) {
    TargetTopic& topic = topics.emplace_back(topic_of(answer));
    auto there = view->topics.find(topic.topic);
    if (there != view->topics.end()) topic.partitions = static_cast<int32_t>(there->second.partitions.size());
    if (!topic.promotion) presence_.made(topic.topic, topic.id);
  }
  co_return topics;
}

Task<std::string> MirrorTarget::name_of(LinkId link, Deadline deadline) {
  auto all = co_await links_.links(deadline);
  if (!all) co_return std::string();
  for (const auto& entry : *all) {
    auto stored = decode_stored_link(entry.value);
    if (stored && stored->id == link) co_return stored->spec.name;
  }
  co_return std::string();
}

Task<Result<TargetTopic>> MirrorTarget::make(WantedTopic wanted, LinkSource source, Deadline deadline) {
  MirrorClient::NewMirror mirror;
  mirror.topic = wanted.topic;
  mirror.source_cluster_id = source_cluster_id_;
  mirror.source_topic = wanted.source.name;
  mirror.source_topic_id = SourceTopicId(wanted.source.id);
  mirror.partitions = wanted.source.partitions;
  mirror.configs = std::move(wanted.configs);
  mirror.dry_run = wanted.dry_run;
  if (source.farshore) {
    auto there = co_await source.mirrors.describe(wanted.source.name, 0, deadline);
    if (there)
      for (const auto& cluster : there->source_provenance) mirror.provenance.emplace_back(cluster);
  }
  const ClusterId own(cluster_.client().view()->cluster_id);
  if (std::find(mirror.provenance.begin(), mirror.provenance.end(), own) != mirror.provenance.end()) {
    TargetTopic cycle;
    cycle.topic = wanted.topic;
    cycle.left_out = "its records come from the target itself: mirroring them back would be a cycle";
    co_return cycle;
  }
  auto made = co_await mirrors_.create(link_, epoch_, std::move(mirror), deadline);
  if (!made)
    if (auto left_out = left_out_for_its_name(wanted.topic, made.error())) co_return std::move(*left_out);
  if (!made) co_return co_await look_at_refused(std::move(wanted), std::move(made).error(), deadline);
  TargetTopic topic;
  topic.topic = wanted.topic;
  topic.source_topic = wanted.source.name;
  topic.id = TargetTopicId(made->topic_id);
  topic.source_id = SourceTopicId(wanted.source.id);
  topic.partitions = wanted.source.partitions;
  if (!wanted.dry_run) presence_.made(topic.topic, topic.id);
  co_return topic;
}

Task<Result<TargetTopic>> MirrorTarget::look_at_refused(WantedTopic wanted, Error why, Deadline deadline) {
  auto there = co_await mirrors_.describe(wanted.topic, wanted.source.partitions, deadline);
  if (!there) co_return why;
  if (LinkId(there->link_id) != link_ && ended(role_of(*there)))
    co_return Error(why.code,
                    "topic " + wanted.topic +
                        " at the target is no mirror any more: another link mirrored it, and it was promoted "
                        "or failed over, so clients write to it; to mirror it again, delete it there, or give "
                        "this link a --prefix");
  if (LinkId(there->link_id) != link_ && role_of(*there) == MirrorRole::kMirror) {
    const std::string owner = co_await name_of(LinkId(there->link_id), deadline);
    if (!owner.empty())
      co_return Error(why.code, "topic " + wanted.topic + " at the target belongs to another link, " + owner + " (" +
                                    there->link_id.to_string() +
                                    "): two links cannot fill one topic; give this one a --prefix");
  }
  if (LinkId(there->link_id) != link_ || !ended(role_of(*there))) co_return why;
  TargetTopic known = topic_of(*there);
  known.topic = wanted.topic;
  known.source_topic = wanted.source.name;
  co_return known;
}

Task<Result<ConfigPlan>> MirrorTarget::configs(std::string, std::map<std::string, std::string> followed, bool,
                                               Deadline) {
  ConfigPlan plan;
  plan.wanted = std::move(followed);
  co_return plan;
}

Task<Result<PromotionRecord>> MirrorTarget::end(EndOfTopic request, replicator::Replicator&, Deadline deadline) {
  auto answer = co_await mirrors_.end(link_, epoch_, request.topic.id, std::move(request.ends), request.dry_run,
                                      std::move(request.wanted), deadline);
  if (!answer) co_return std::move(answer).error().in("target");
  if (!request.dry_run) presence_.ended(request.topic.topic);
  co_return get_promotion(*answer);
}

Task<Result<std::optional<TargetOffset>>> MirrorTarget::to_target(LinkPartition, SourceOffset offset) {
  co_return TargetOffset(offset.value());
}

Task<Result<api::TranslateOffsetReply>> MirrorTarget::translate(TargetTopic, api::TranslateOffsetRequest request,
                                                                SourceOffset mirrored_end) {
  if (request.offset() < 0 || request.offset() > mirrored_end.value())
    co_return Error(ErrorCode::kOutOfRange, "offset " + std::to_string(request.offset()) +
                                                " is not mirrored: the mirror ends at " +
                                                std::to_string(mirrored_end.value()));
  api::TranslateOffsetReply reply;
  reply.set_source_offset(request.offset());
  reply.set_target_offset(request.offset());
  reply.set_epoch(request.has_epoch() ? request.epoch() : -1);
  reply.set_exact(true);
  reply.set_note(request.offset() == mirrored_end.value() ? "the mirror's end: the next record"
                                                          : "a mirror keeps offsets");
  co_return reply;
}

Task<Status> MirrorTarget::verify(TargetTopic topic, int32_t partitions, LinkSource source, Verified verified,
                                  Deadline deadline) {
  if (!source.farshore)
    co_return Error(ErrorCode::kUnsupported,
                    "verify compares digests that both ends compute; the source is Apache Kafka, "
                    "which computes none");
  std::vector<std::string> names{topic.source_topic};
  CO_TRY(auto configs, co_await source.cluster.effective_configs(std::move(names), deadline));
  const bool policy_compacts = configs[topic.source_topic]["cleanup.policy"].find("compact") != std::string::npos;
  DigestComparison comparison(env_, source.mirrors, verify_mirrors_, std::move(topic), partitions, policy_compacts);
  co_return co_await comparison.run(std::move(verified), deadline);
}

}  // namespace farshore::linker
