#include "tests/simulation/end_check.h"

#include <algorithm>
#include <map>

#include "broker/broker.h"
#include "tests/simulation/source_user.h"

namespace farshore::simulation {
namespace {

constexpr Duration kEndTakes = seconds(60);  // a target that dies meanwhile completes it at its next start

}  // namespace

void EndCheck::violation(const broker::TopicImage& topic, const End& end, const std::string& text) {
  clusters_.history().violation(topic.name + "-" + std::to_string(end.partition) + " ended by " +
                                std::string(name(topic.mirror->promotion()->kind)) + " at " +
                                std::to_string(end.failover_offset.value()) + ": " + text);
}

void EndCheck::look() {
  if (!clusters_.west().up() || !clusters_.east().up()) return;
  const auto image = clusters_.west().broker->image();
  for (const auto& entry : image->topics) {
    const broker::TopicImage& topic = *entry.second;
    if (!topic.mirror || !topic.mirror->ended() || !seen_.insert(topic.id.to_string()).second) continue;
    for (const End& end : topic.mirror->promotion()->partitions) check_source_end(topic, end);
  }
}

// A promote asks the source whether it still has everything. The answer holds until the source's process ends.
void EndCheck::check_source_end(const broker::TopicImage& topic, const End& end) {
  const PromotionRecord& record = *topic.mirror->promotion();
  if (record.kind != PromotionKind::kPromote || clusters_.clock_jumps()) return;
  if (!figures_.one_process_since(record.source_topic.to_string(), end.partition,
                                  clusters_.since_begin(record.wall_ms)))
    return;
  auto source = clusters_.partition(clusters_.east(), topic.mirror->source_topic_name, end.partition);
  if (!source || source->topic_id() != record.source_topic.value()) return;
  if (source->ends().end.value() < end.failover_offset.value())
    violation(topic, end, "the source has only " + std::to_string(source->ends().end.value()));
}

void EndCheck::check_all() {
  const auto image = clusters_.west().broker->image();
  for (const auto& entry : image->topics) {
    const broker::TopicImage& topic = *entry.second;
    if (!topic.mirror || !topic.mirror->writable()) continue;
    for (const End& end : topic.mirror->promotion()->partitions) {
      if (end.state != EndState::kDone) continue;
      check_log(topic, end);
      check_groups(topic, end);
    }
  }
}

void EndCheck::check_log(const broker::TopicImage& topic, const End& end) {
  auto target = clusters_.partition(clusters_.west(), topic.name, end.partition);
  if (!target) return violation(topic, end, "the partition is not open");
  if (target->ends().end.value() < end.failover_offset.value())
    violation(topic, end, "the log ends at " + std::to_string(target->ends().end.value()));
  std::string here, there;
  watch_.read(clusters_.west(), target, here);
  auto source = clusters_.partition(clusters_.east(), topic.mirror->source_topic_name, end.partition);
  if (source && source->topic_id() == topic.mirror->source_topic.value()) watch_.read(clusters_.east(), source, there);
  std::map<std::pair<int64_t, int32_t>, uint32_t> at_source;  // by offset and epoch: there is only one such batch
  for (const StoredBatch& batch : batches_of(there)) at_source[{batch.offset, batch.epoch}] = batch.crc;
  const bool compacted = topic.name == kCompactedTopic;  // each side by itself, from now on
  for (const StoredBatch& batch : batches_of(here)) {
    const bool before = batch.offset < end.failover_offset.value();
    if (before != (batch.epoch < end.new_epoch.value()))
      violation(topic, end,
                "the batch at " + std::to_string(batch.offset) + " has epoch " + std::to_string(batch.epoch) +
                    ", the new ones begin at " + std::to_string(end.new_epoch.value()));
    if (before && batch.next > end.failover_offset.value())
      violation(topic, end, "inside of the batch at " + std::to_string(batch.offset));
    const auto found = at_source.find({batch.offset, batch.epoch});
    if (before && !compacted && found != at_source.end() && found->second != batch.crc)
      violation(topic, end, "the batch at " + std::to_string(batch.offset) + " is another one at the source");
  }
}

// Nobody consumes at the target, so each commit there is the link's. It is not behind the end.
//
// But for an end after a side without fsync lost its power. When the source loses its last records, the mirror is cut,
// and a commit that was right before stays above the end until the next round of the group sync. An end in between, or
// a target that loses the records and keeps the commit, leaves it there. That is what a group meets at any Kafka that
// lost acknowledged records: its next fetch is out of range, or skips what was written anew. fsync is what keeps both
// from it. Also then no commit is behind what the source once had.
void EndCheck::check_groups(const broker::TopicImage& topic, const End& end) {
  int64_t limit = end.failover_offset.value();
  if (lost_before(*topic.mirror->promotion())) {
    const int64_t highest = figures_.highest(topic.mirror->source_topic.value().to_string(), end.partition);
    if (highest < 0) return;  // the source's topic was there too briefly
    limit = std::max(limit, highest);
  }
  for (const char* group : kLifecycleGroups) {
    const auto committed = clusters_.committed(clusters_.west(), group, topic.name);
    const auto at = committed.find(end.partition);
    if (at != committed.end() && at->second > limit)
      violation(
          topic, end,
          std::string("group ") + group + " is at " + std::to_string(at->second) + ", above " + std::to_string(limit));
  }
}

bool EndCheck::lost_before(const PromotionRecord& record) const {
  const Duration ended = clusters_.since_begin(record.wall_ms) + kEndTakes;
  for (const Node* node : {&clusters_.east(), &clusters_.west()})
    for (const Duration lost : node->lost_at)
      if (lost <= ended || clusters_.clock_jumps()) return true;  // a clock that jumped has dated the end
  return false;
}

}  // namespace farshore::simulation
