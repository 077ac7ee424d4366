#include "broker/mirror/mirror_topics.h"

#include <utility>

#include "broker/metadata/topic_config.h"
#include "broker/mirror/internal/empty_topic_adoption.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using Answer = MirrorTopics::Answer;

Refusal refuse(Code code, std::string message) { return {code, std::move(message)}; }

Answer answer_of(TopicPtr topic, Refusal refusal = {}) {
  Answer answer;
  answer.topic = std::move(topic);
  answer.refusal = std::move(refusal);
  return answer;
}

Refusal newer_gateway(LinkEpoch newer, LinkEpoch epoch) {
  return refuse(Code::kProducerFenced, "a newer gateway has the link (epoch " + std::to_string(newer.value()) +
                                           ", yours is " + std::to_string(epoch.value()) + ")");
}

Refusal check_link(const TopicImage& topic, const LinkId& link, LinkEpoch epoch) {
  if (!topic.mirror) return refuse(Code::kPolicyViolation, "topic " + topic.name + " is no mirror");
  const MirrorImage& mirror = *topic.mirror;
  if (mirror.link != link)
    return refuse(Code::kPolicyViolation, "topic " + topic.name + " belongs to link " + mirror.link.to_string());
  if (mirror.ended())
    return refuse(Code::kPolicyViolation, "topic " + topic.name + " was promoted: it is no mirror any more");
  if (epoch < mirror.link_epoch) return newer_gateway(mirror.link_epoch, epoch);
  return {};
}

}  // namespace

Answer MirrorTopics::find(const TopicId& id, const LinkId& link, LinkEpoch epoch) const {
  ImagePtr image = metadata_.image();
  auto name = image->names_by_id.find(id);
  if (name == image->names_by_id.end())
    return answer_of(nullptr, refuse(Code::kUnknownTopicId, "there is no topic with id " + id.to_string()));
  TopicPtr topic = image->topics.at(name->second);
  Refusal refusal = check_link(*topic, link, epoch);
  return answer_of(std::move(topic), std::move(refusal));
}

Task<Refusal> MirrorTopics::take_link_epoch(TopicPtr topic, LinkEpoch epoch, Deadline deadline) {
  if (epoch <= topic->mirror->link_epoch) co_return Refusal{};
  MetadataManager::TopicEdit edit = [epoch](TopicImage& image) -> Status {
    if (!image.mirror || image.mirror->ended()) return Error(ErrorCode::kConflict, "the topic is no mirror any more");
    if (image.mirror->link_epoch > epoch) return Error(ErrorCode::kFenced, "a newer gateway has the link");
    image.mirror->link_epoch = epoch;
    return ok();
  };
  auto changed = co_await metadata_.update_topic(topic->id, std::move(edit), deadline);
  if (changed) co_return Refusal{};
  if (changed.error() == ErrorCode::kFenced) co_return refuse(Code::kProducerFenced, changed.error().to_string());
  co_return refusal_of(changed.error());
}

Refusal MirrorTopics::check_source(const NewMirror& wanted) const {
  const ClusterId self(metadata_.image()->cluster_id);
  const MirrorImage& mirror = wanted.mirror;
  if (mirror.source_cluster_id == self)
    return refuse(Code::kInvalidRequest, "the source is this very cluster (" + self.value() + ")");
  for (const auto& cluster : mirror.provenance)
    if (cluster == self)
      return refuse(Code::kInvalidRequest, "the data of " + mirror.source_topic_name +
                                               " comes from this very cluster: mirroring it back would be a cycle");
  return {};
}

Refusal MirrorTopics::check_existing(const TopicImage& there, const NewMirror& wanted) {
  const std::string topic = "topic " + wanted.name;
  const MirrorImage& mirror = *there.mirror;
  if (mirror.link != wanted.mirror.link)
    return refuse(Code::kPolicyViolation, topic + " belongs to another link (" + mirror.link.to_string() + ")");
  if (mirror.link_epoch > wanted.mirror.link_epoch) return newer_gateway(mirror.link_epoch, wanted.mirror.link_epoch);
  if (mirror.writable()) return refuse(Code::kPolicyViolation, topic + " was promoted: it is no mirror any more");
  if (mirror.ended()) return refuse(Code::kLeaderNotAvailable, topic + " is being promoted");  // for a moment
  if (mirror.source_cluster_id != wanted.mirror.source_cluster_id || mirror.source_topic != wanted.mirror.source_topic)
    return refuse(Code::kInconsistentTopicId, topic + " mirrors another topic (" + mirror.source_topic.to_string() +
                                                  "): the source's was deleted and made anew");
  return {};
}

Task<Answer> MirrorTopics::grow(TopicPtr topic, int32_t partitions, Deadline deadline) {
  TopicCreator::Created grown = co_await creator_.grow(topic, partitions, deadline);
  if (grown.refusal) co_return answer_of(topic, std::move(grown.refusal));
  auto applied = co_await partitions_.wait_for(metadata_.image()->revision, deadline);
  if (applied) applied = co_await partitions_.wait_open(topic->id, deadline);
  if (!applied) co_return answer_of(grown.topic, refusal_of(applied.error()));
  co_return answer_of(grown.topic);
}

Task<Answer> MirrorTopics::adopt(TopicPtr topic, const NewMirror& wanted, Deadline deadline) {
  const LinkId before = topic->mirror->link;
  auto stored = co_await links_.find(before, deadline);
  if (!stored) co_return answer_of(topic, refusal_of(stored.error()));
  if (*stored) co_return answer_of(topic, check_existing(*topic, wanted));  // its link lives
  const LinkId link = wanted.mirror.link;
  const LinkEpoch epoch = wanted.mirror.link_epoch;
  const MirrorImage& mirror = *topic->mirror;
  if (mirror.source_cluster_id != wanted.mirror.source_cluster_id || mirror.source_topic != wanted.mirror.source_topic)
    co_return answer_of(
        topic, refuse(Code::kInconsistentTopicId,
                      "topic " + topic->name + " is the mirror of another topic (" + mirror.source_topic.to_string() +
                          "), and its link was deleted: delete it, or make it writable with 'farshore "
                          "mirror failover " +
                          topic->name + "' (without --link)"));
  if (wanted.dry_run) co_return answer_of(topic);
  MetadataManager::TopicEdit edit = [before, link, epoch](TopicImage& image) -> Status {
    if (!image.mirror || image.mirror->link != before || image.mirror->ended())
      return Error(ErrorCode::kConflict, "the mirror was adopted or ended by somebody else meanwhile");
    image.mirror->link = link;  // appends of the old link are refused from now on
    image.mirror->link_epoch = epoch;
    return ok();
  };
  auto adopted = co_await metadata_.update_topic(topic->id, std::move(edit), deadline);
  if (!adopted) co_return answer_of(topic, refusal_of(adopted.error()));
  co_return answer_of(*adopted);
}

Task<Answer> MirrorTopics::create(NewMirror wanted, Deadline deadline) {
  if (Refusal refusal = check_source(wanted)) co_return answer_of(nullptr, std::move(refusal));
  ImagePtr image = metadata_.image();
  if (auto there = image->topics.find(wanted.name); there != image->topics.end()) {
    TopicPtr topic = there->second;
    if (!topic->mirror) {
      EmptyTopicAdoption adoption(env_, metadata_, partitions_, fences_, wanted);
      Answer taken = co_await adoption.run(topic, deadline);
      if (taken.refusal || wanted.dry_run) co_return taken;
      topic = taken.topic;
    }
    if (topic->mirror && !topic->mirror->ended() && topic->mirror->link != wanted.mirror.link) {
      Answer adopted = co_await adopt(topic, wanted, deadline);
      if (adopted.refusal || wanted.dry_run) co_return adopted;
      topic = adopted.topic;
    }
    if (Refusal refusal = check_existing(*topic, wanted)) co_return answer_of(topic, std::move(refusal));
    if (static_cast<size_t>(wanted.partitions) <= topic->partitions.size() || wanted.dry_run)
      co_return answer_of(topic);
    co_return co_await grow(topic, wanted.partitions, deadline);
  }
  NewTopic topic;
  topic.name = std::move(wanted.name);
  topic.partitions = wanted.partitions;
  for (auto& [name, value] : wanted.configs)
    if (check_topic_config(name, value)) topic.configs[name] = value;
  wanted.mirror.provenance.push_back(wanted.mirror.source_cluster_id);
  topic.mirror = std::move(wanted.mirror);
  if (wanted.dry_run) co_return answer_of(nullptr, creator_.check(topic));
  TopicCreator::Created created = co_await creator_.create(std::move(topic), deadline);
  co_return answer_of(std::move(created.topic), std::move(created.refusal));
}

}  // namespace farshore::broker
