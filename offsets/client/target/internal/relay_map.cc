#include "offsets/client/target/internal/relay_map.h"

#include <algorithm>
#include <utility>

#include "base/gate.h"
#include "offsets/translation/anchor.h"

namespace farshore::client {

RelayMap::RelayMap(Env& env, kafka::ClusterClient& target) : env_(env), target_(target), links_(env, target, arena_) {}
RelayMap::~RelayMap() = default;

TranslationImage& RelayMap::image(int32_t log) {
  auto& found = images_[log];
  if (!found) found = std::make_unique<TranslationImage>(env_, target_, arena_, log);
  return *found;
}

Task<std::vector<RelayAnswer>> RelayMap::ask(std::vector<RelayQuestion> questions, Deadline deadline) {
  Call call;
  call.answers.resize(questions.size());
  auto prepared = co_await prepare(std::move(questions), call, deadline);
  if (!prepared) {
    for (auto& answer : call.answers)
      if (answer.error.code == ErrorCode::kNone) answer.error = prepared.error();
    co_return std::move(call.answers);
  }
  call.next = call.wanted.begin();
  Gate workers(env_);
  for (int i = 0; i < std::min<int>(kLogsAtOnce, static_cast<int>(call.wanted.size())); ++i)
    spawn(workers, "relay map", work(call, deadline));
  co_await workers.close();
  co_return std::move(call.answers);
}

Task<Status> RelayMap::prepare(std::vector<RelayQuestion> questions, Call& call, Deadline deadline) {
  CO_CHECK(co_await links_.read(deadline));
  for (size_t i = 0; i < questions.size(); ++i) {
    auto topic = links_.find(questions[i]);
    if (!topic) {
      call.answers[i].error = std::move(topic).error();
      continue;
    }
    Wanted wanted;
    wanted.question = std::move(questions[i]);
    wanted.key = topic->key;
    wanted.key.partition = PartitionId(wanted.question.partition);
    wanted.topic = std::move(*topic);
    wanted.index = i;
    call.wanted[translation_log_partition(wanted.key)].push_back(std::move(wanted));
  }
  co_return co_await find_ends(call, deadline);
}

// The ends of the partitions are asked for before those of the translation log: an anchor is acknowledged before the
// batches that it explains. So the log, which is read afterwards, explains every batch below these ends.
// A link that has ended wrote nothing behind the end that it stored: what is there is the target's own.
Task<Status> RelayMap::find_ends(Call& call, Deadline deadline) {
  std::vector<TopicPartition> partitions, logs;
  for (const auto& [log, wanteds] : call.wanted) {
    logs.push_back({kTranslationTopic, log});
    for (const auto& each : wanteds)
      if (!each.topic.ended) partitions.push_back({each.topic.topic, each.question.partition});
  }
  CO_TRY(PartitionEnds ends, co_await partition_ends(target_, std::move(partitions), deadline));
  for (auto& [log, wanteds] : call.wanted) {
    for (auto& each : wanteds) {
      if (!each.topic.ended) {
        each.end = ends.at({each.topic.topic, each.question.partition});
      } else if (auto end = each.topic.ends.find(each.question.partition); end != each.topic.ends.end()) {
        each.end = Offset(std::max<int64_t>(end->second.target, 0));
      }
    }
  }
  CO_TRY(call.logs, co_await partition_ends(target_, std::move(logs), deadline));
  co_return ok();
}

Task<void> RelayMap::work(Call& call, Deadline deadline) {
  while (call.next != call.wanted.end()) {
    auto mine = call.next++;
    auto answered = co_await answer_log(mine->first, mine->second, call, deadline);
    if (answered) continue;
    for (const Wanted& each : mine->second) call.answers[each.index].error = answered.error();
  }
}

Task<Status> RelayMap::answer_log(int32_t log, std::vector<Wanted>& wanted, Call& call, Deadline deadline) {
  TranslationImage& from = image(log);
  auto guard = co_await from.mutex().lock(deadline);
  if (!guard) co_return std::move(guard).error().in("another call reads the same part of the translation");
  const TopicPartition where{kTranslationTopic, log};
  const Offset end = call.logs.at(where);
  CO_CHECK(co_await from.catch_up(end, deadline));
  for (Wanted& each : wanted) {
    RelayAnswer& answer = call.answers[each.index];
    answer.ended = each.topic.ended;
    auto answered = co_await answer_one(from, each, answer, deadline);
    if (!answered) answer.error = std::move(answered).error();
  }
  co_return ok();
}

Task<Status> RelayMap::answer_one(TranslationImage& image, Wanted& wanted, RelayAnswer& answer, Deadline deadline) {
  const RelayQuestion& question = wanted.question;
  const LinkPartition key = wanted.key;
  TopicPartition at{wanted.topic.topic, question.partition};
  CO_CHECK(co_await image.catch_up_tail(std::move(at), key, wanted.end, deadline));
  offsets::TranslationStore& store = image.store();
  CO_TRY(offsets::Claims claims, co_await store.claims(key));
  const bool to_target = question.direction == RelayDirection::kToTarget;
  if (const auto known = known_end(claims.anchors, claims.last_run))
    answer.limit = to_target ? known->source.value() : known->target.value();
  answer.topic = to_target ? wanted.topic.topic : wanted.topic.source_topic;
  if (to_target && question.below_is_first) {
    CO_TRY(auto first, co_await store.runs(key, SourceOffset(0), 1));
    if (!first.empty() && SourceOffset(question.offset) < first.front().source) {
      answer.offset = first.front().target.value();
      answer.exact = false;
      co_return ok();
    }
  }
  if (to_target) {
    CO_TRY(auto translated, co_await store.to_target(key, SourceOffset(question.offset), std::nullopt));
    answer.offset = translated.offset;
    answer.exact = translated.exact;
  } else {
    CO_TRY(auto translated, co_await store.to_source(key, TargetOffset(question.offset)));
    answer.offset = translated.offset;
    answer.exact = translated.exact;
  }
  co_return ok();
}

}  // namespace farshore::client
