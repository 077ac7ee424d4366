#include "broker/mirror/targets.h"

#include <algorithm>

#include "broker/errors.h"

namespace farshore::broker {

using Code = kafka::ErrorCode;

MirrorProblem mirror_problem(const Error& error) { return {kafka_error(error), error.to_string()}; }

std::shared_ptr<MirrorTargets::Target> MirrorTargets::target(const TopicId& topic, int32_t partition) {
  auto& slot = targets_[{topic, partition}];
  if (!slot) slot = std::make_shared<Target>(services_.env);
  return slot;
}

MirrorTargets::Found MirrorTargets::find(const TopicId& id, const LinkId& link, LinkEpoch epoch) const {
  ImagePtr image = services_.metadata.image();
  auto name = image->names_by_id.find(id);
  if (name == image->names_by_id.end())
    return {nullptr, {Code::kUnknownTopicId, "there is no topic with id " + id.to_string()}};
  TopicPtr topic = image->topics.at(name->second);
  if (!topic->mirror) return {topic, {Code::kPolicyViolation, "topic " + topic->name + " is no mirror"}};
  if (topic->mirror->link != link)
    return {topic,
            {Code::kPolicyViolation, "topic " + topic->name + " belongs to link " + topic->mirror->link.to_string()}};
  if (topic->mirror->ended())
    return {topic, {Code::kPolicyViolation, "topic " + topic->name + " was promoted: it is no mirror any more"}};
  if (epoch < topic->mirror->link_epoch)
    return {topic,
            {Code::kProducerFenced, "a newer gateway has the link (epoch " +
                                        std::to_string(topic->mirror->link_epoch.value()) + ", yours is " +
                                        std::to_string(epoch.value()) + ")"}};
  return {topic, {}};
}

PumpSession MirrorTargets::open(Target& target, LinkEpoch epoch) {
  // Random, so that a session from before a restart of this broker can never be mistaken for one of now.
  target.session = PumpSession(static_cast<int64_t>(services_.env.random().next() >> 1 | 1));
  target.link_epoch = epoch;
  return target.session;
}

Task<MirrorProblem> MirrorTargets::append(PartitionPtr partition, Append append, Deadline deadline) {
  auto state = target(partition->topic_id(), partition->partition());
  auto guard = co_await state->lock.lock();
  if (!state->holds(append.session) || append.link_epoch != state->link_epoch)
    co_return MirrorProblem{Code::kFencedLeaderEpoch, "the session is not the one that is open: open a new one"};
  Log& log = partition->log();
  const LogEnds before = partition->ends();
  if (append.expected_end != before.end)
    co_return MirrorProblem{Code::kOffsetOutOfRange, "the log ends at " + std::to_string(before.end.value()) +
                                                         ", not at " + std::to_string(append.expected_end.value())};
  if (append.epoch_before != log.last_epoch())
    co_return MirrorProblem{Code::kOffsetOutOfRange, "the last epoch is " + std::to_string(log.last_epoch().value()) +
                                                         ", not " + std::to_string(append.epoch_before.value())};
  append.source.at = services_.env.wall_now();
  state->source = append.source;
  Offset last{-1};
  if (!append.run.empty()) {
    auto checked = verify_crc(append.run);
    if (!checked) co_return MirrorProblem{Code::kCorruptMessage, checked.error().to_string()};
    LogEpoch highest = append.run.batches.front().epoch();
    for (const auto& batch : append.run.batches) highest = std::max(highest, batch.epoch());
    if (highest.value() > partition->leadership_epoch().value()) {
      // A client that saw this epoch in a batch ignores metadata with a lower one: raised durably first.
      auto raised = co_await raise_leadership(partition, highest, deadline);
      if (!raised) co_return mirror_problem(raised.error());
    }
    auto appended = co_await partition->append(std::move(append.run), AppendOrigin::kMirror);
    if (!appended) {
      if (appended.error() == ErrorCode::kConflict)
        co_return MirrorProblem{Code::kOffsetOutOfRange, appended.error().to_string()};
      co_return mirror_problem(appended.error());
    }
    last = appended->last;
  }
  if (last >= Offset(0)) {
    auto committed = co_await partition->wait_committed(last, deadline);
    if (!committed) co_return mirror_problem(committed.error());
  }
  // The source's log start is followed, as far as this end has come.
  const LogEnds now = partition->ends();
  Offset start = std::min(append.source.log_start, now.high_watermark);
  if (start > now.log_start) {
    auto moved = co_await log.advance_log_start(start);
    if (!moved) co_return mirror_problem(moved.error());
    partition->changed();
  }
  co_return MirrorProblem{};
}

Task<Status> MirrorTargets::raise_leadership(PartitionPtr partition, LogEpoch epoch, Deadline deadline) {
  const LeadershipEpoch wanted(epoch.value());
  const auto index = static_cast<size_t>(partition->partition());
  MetadataManager::TopicEdit edit = [wanted, index](TopicImage& topic) -> Status {
    if (index >= topic.partitions.size()) return Error(ErrorCode::kNotFound, "the partition is gone");
    topic.partitions[index].leadership_epoch = std::max(topic.partitions[index].leadership_epoch, wanted);
    return ok();
  };
  CO_CHECK(co_await services_.metadata.update_topic(partition->topic_id(), std::move(edit), deadline));
  co_return co_await partition->set_leadership_epoch(wanted, /*begin_log_epoch=*/false);
}

}  // namespace farshore::broker
