#include "linker/relay/open_ends.h"

#include <algorithm>

#include "base/gate.h"

namespace farshore::linker {
namespace {

constexpr size_t kOpenEndsAtOnceMax = 1000;  // the next call takes the others
constexpr Duration kOpenEndsLookLimit = seconds(5);

struct OpenEnd {
  RelayTopic topic;
  int32_t partition;
};

std::vector<OpenEnd> open_ends_of(const std::vector<RelayTopic>& topics) {
  std::vector<OpenEnd> out;
  for (const RelayTopic& topic : topics) {
    if (!topic.promotion) continue;
    for (const auto& end : topic.promotion->partitions)
      if (end.state != EndState::kDone && out.size() < kOpenEndsAtOnceMax) out.push_back({topic, end.partition});
  }
  return out;
}

}  // namespace

Task<void> RelayOpenEnds::complete(Deadline deadline) {
  std::vector<OpenEnd> open = open_ends_of(relay_.topics.topics());
  if (open.empty()) co_return;
  std::vector<std::string> names;
  for (const OpenEnd& each : open)
    if (names.empty() || names.back() != each.topic.topic) names.push_back(each.topic.topic);
  const Deadline look_limit = std::min(deadline, relay_.env.in(kOpenEndsLookLimit));
  auto view = co_await relay_.target.client().refresh(std::move(names), look_limit);
  if (!view) co_return;
  Gate gate(relay_.env);
  for (const OpenEnd& each : open) {
    const auto* known = (*view)->partition(each.topic.topic, each.partition);
    if (known && known->leader >= 0) spawn(gate, "relay open end", complete_one(each.topic, each.partition, deadline));
  }
  co_await gate.close();
}

Task<void> RelayOpenEnds::complete_one(RelayTopic topic, int32_t partition, Deadline deadline) {
  PromotionRecord::PartitionEnd open;
  for (const auto& end : topic.promotion->partitions)
    if (end.partition == partition) open = end;
  auto found = co_await find_end(topic, std::move(open), deadline);
  Status stored = found ? ok() : Status(found.error());
  if (found) {
    RelayTopicStore::Change ended = [&found](RelayTopic& now) {
      if (!now.promotion) return ok();
      for (auto& end : now.promotion->partitions)
        if (end.partition == found->partition && end.state != EndState::kDone) end = *found;
      return ok();
    };
    auto changed = co_await relay_.topics.change(topic.topic, std::move(ended), deadline);
    if (!changed) stored = std::move(changed).error();
  }
  if (stored)
    relay_.env.log().info(
        "a partition that was offline when its topic ended has ended now",
        {{"topic", topic.topic}, {"partition", partition}, {"failover_offset", found->failover_offset}});
  else
    relay_.env.log().warn("a partition that was offline when its topic ended cannot be ended yet",
                          {{"topic", topic.topic}, {"partition", partition}, {"error", stored.error()}});
}

Task<Result<PromotionRecord::PartitionEnd>> RelayOpenEnds::find_end(RelayTopic topic, PromotionRecord::PartitionEnd end,
                                                                    Deadline deadline) {
  const LinkPartition key{relay_.link, topic.source_id, PartitionId(end.partition)};
  replicator::SinkTarget at;
  at.topic = topic.topic;
  at.topic_id = topic.id;
  auto state = co_await relay_.sink.find_end(key, std::move(at));
  const bool final_refusal = !state && !error_retriable(state.error().code) && state.error() != ErrorCode::kFenced &&
                             state.error() != ErrorCode::kClosed;
  if (!state && !final_refusal) co_return std::move(state).error();
  CO_TRY(auto claims, co_await relay_.journal.claims(key, deadline));
  const auto known = known_end(claims.anchors, claims.last_run);
  end.failover_offset = known ? known->source : SourceOffset(0);
  end.failover_target_offset = known ? known->target : TargetOffset(-1);
  end.last_epoch = known ? known->epoch : LogEpoch(-1);
  end.note = "it was offline when the topic ended";
  if (state) {
    end.failover_offset = state->end;
    end.last_epoch = state->last_epoch;
  } else {
    end.note += "; by what was written down: " + state.error().to_string();
  }
  end.lost_at_least_records = std::max<int64_t>(0, end.source_high_watermark - end.failover_offset);
  end.state = EndState::kDone;
  co_return end;
}

}  // namespace farshore::linker
