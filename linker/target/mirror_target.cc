#include "linker/target/mirror_target.h"

#include <algorithm>

#include "base/side_by_side.h"
#include "linker/target/digest_comparison.h"
#include "proto/link/keys.h"
#include "proto/link/link_writer.h"

namespace farshore::linker {
namespace {

constexpr size_t kRefusedAtOnce = 16;  // topics that the target has refused to make, and that are looked at

TargetTopic topic_of(const MirrorTopicAnswer& answer) {
  TargetTopic topic;
  topic.topic = answer.name.value_or("");
  topic.source_topic = answer.source_topic.value_or("");
  topic.id = TargetTopicId(answer.topic_id);
  topic.source_id = SourceTopicId(answer.source_topic_id);
  if (ended(role_of(answer))) topic.promotion = get_promotion(answer);
  return topic;
}

// Where the records of a source topic come from, as the source describes it. A mirror that has ended is its own origin:
// clients write to it, and what they write is nowhere else.
std::vector<ClusterId> provenance_of(const MirrorTopicAnswer& origin) {
  std::vector<ClusterId> clusters;
  if (ended(role_of(origin))) return clusters;
  for (const auto& cluster : origin.source_provenance) clusters.emplace_back(cluster);
  return clusters;
}

TargetTopic left_out_as_cycle(const std::string& topic) {
  TargetTopic cycle;
  cycle.topic = topic;
  cycle.left_out = "its records come from the target itself: mirroring them back would be a cycle";
  return cycle;
}

// The target has refused to make a topic, `why`. If it is the one that the source's topic was once mirrored from, what
// is there are the old records, and its operator has to decide about them.
Error refused_mirror_back(const WantedTopic& wanted, const MirrorTopicAnswer& origin, const ClusterId& own, Error why) {
  const auto& through = origin.source_provenance;
  const bool back = ended(role_of(origin)) && std::find(through.begin(), through.end(), own.value()) != through.end();
  if (!back || why != ErrorCode::kAlreadyExists) return why;
  return Error(why.code,
               "topic " + wanted.source.name +
                   " of the source was mirrored from this target, and was promoted or failed over there: what "
                   "clients write to it now is at no second place. Topic " +
                   wanted.topic +
                   " at the target holds what was written before: to mirror it back, delete it there, or give "
                   "this link a --prefix");
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
    presence_.made(topic.topic, topic.id);
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
  std::vector<WantedTopic> one;
  one.push_back(std::move(wanted));
  auto made = co_await make_all(std::move(one), source, deadline);
  co_return std::move(made.front());
}

// Over a long way this costs a round trip for some hundred topics at the source, and one for some at the target.
Task<std::vector<Result<TargetTopic>>> MirrorTarget::make_all(std::vector<WantedTopic> wanted, LinkSource source,
                                                              Deadline deadline) {
  std::vector<Result<TargetTopic>> out(wanted.size(), Error(ErrorCode::kInternal, "not asked"));
  const bool dry_run = !wanted.empty() && wanted.front().dry_run;
  std::vector<std::pair<std::string, int32_t>> names;
  for (const auto& topic : wanted) names.emplace_back(topic.source.name, 0);
  std::vector<MirrorTopicAnswer> origins(wanted.size());
  if (source.farshore) {
    auto described = co_await source.mirrors.describe_all(std::move(names), deadline);
    if (!described) {  // without it a cycle could not be seen
      const Error why = described.error().in("source: where the records come from");
      std::fill(out.begin(), out.end(), Error(ErrorCode::kUnavailable, why.detail));  // it waits, and is not refused
      co_return out;
    }
    origins = std::move(*described);
  }
  const ClusterId own(cluster_.client().view()->cluster_id);
  std::vector<size_t> asked;  // numbers in `wanted`
  std::vector<MirrorClient::NewMirror> mirrors;
  for (size_t i = 0; i < wanted.size(); ++i) {
    MirrorClient::NewMirror mirror = new_mirror(wanted[i], origins[i]);
    if (origins[i].error_code != 0) {  // as above
      const Error why = mirror_error(origins[i].error_code, origins[i].error_message);
      out[i] = Error(ErrorCode::kUnavailable, "source: topic " + wanted[i].source.name + ": " + why.to_string());
      continue;
    }
    if (std::find(mirror.provenance.begin(), mirror.provenance.end(), own) != mirror.provenance.end()) {
      out[i] = left_out_as_cycle(wanted[i].topic);
      continue;
    }
    asked.push_back(i);
    mirrors.push_back(std::move(mirror));
  }
  auto made = co_await mirrors_.create_all(link_, epoch_, std::move(mirrors), dry_run, deadline);
  for (size_t i = 0; i < asked.size(); ++i)
    if (!made[i]) made[i] = refused_mirror_back(wanted[asked[i]], origins[asked[i]], own, std::move(made[i]).error());
  OneOfMany one = [&](size_t i) { return take_answer(wanted[asked[i]], std::move(made[i]), out[asked[i]], deadline); };
  co_await side_by_side(env_, asked.size(), kRefusedAtOnce, std::move(one));
  co_return out;
}

MirrorClient::NewMirror MirrorTarget::new_mirror(const WantedTopic& wanted, const MirrorTopicAnswer& origin) const {
  MirrorClient::NewMirror mirror;
  mirror.topic = wanted.topic;
  mirror.source_cluster_id = source_cluster_id_;
  mirror.source_topic = wanted.source.name;
  mirror.source_topic_id = SourceTopicId(wanted.source.id);
  mirror.partitions = wanted.source.partitions;
  mirror.configs = wanted.configs;
  mirror.provenance = provenance_of(origin);
  return mirror;
}

Task<void> MirrorTarget::take_answer(const WantedTopic& wanted, Result<MirrorTopicAnswer> made,
                                     Result<TargetTopic>& out, Deadline deadline) {
  if (!made) {
    auto left_out = left_out_for_its_name(wanted.topic, made.error());
    if (left_out)
      out = std::move(*left_out);
    else if (deadline.passed(env_.now()))
      out = std::move(made).error();
    else
      out = co_await look_at_refused(wanted, std::move(made).error(), deadline);
    co_return;
  }
  TargetTopic topic;
  topic.topic = wanted.topic;
  topic.source_topic = wanted.source.name;
  topic.id = TargetTopicId(made->topic_id);
  topic.source_id = SourceTopicId(wanted.source.id);
  topic.partitions = wanted.source.partitions;
  if (!wanted.dry_run) presence_.made(topic.topic, topic.id);
  out = std::move(topic);
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
  const bool own_mirror = LinkId(there->link_id) == link_ && role_of(*there) == MirrorRole::kMirror;
  if (own_mirror && why == ErrorCode::kNotFound &&
      SourceTopicId(there->source_topic_id) != SourceTopicId(wanted.source.id))
    co_return Error(ErrorCode::kNotFound,
                    "source topic " + wanted.source.name + " was deleted and made anew: its id is " +
                        wanted.source.id.to_string() + ", mirrored was " + there->source_topic_id.to_string() +
                        "; to mirror the new one, delete topic " + wanted.topic +
                        " at the target; to keep the old records there, fail it over (farshore mirror failover)");
  if (LinkId(there->link_id) != link_ || !ended(role_of(*there))) co_return why;
  TargetTopic known = topic_of(*there);
  known.topic = wanted.topic;
  known.source_topic = wanted.source.name;
  presence_.made(known.topic, known.id);
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
