#include "tests/simulation/watch.h"

#include <algorithm>

#include "base/sim/disk.h"
#include "tests/simulation/committer.h"

namespace farshore::simulation {
namespace {

constexpr Duration kReadLimit = seconds(60);

}  // namespace

std::vector<StoredBatch> Watch::stored(const char* host, int32_t partition, bool durable) {
  std::vector<StoredBatch> all;
  const auto& disk = clusters_.world().disk(host);
  const std::string folder = "/data/" + std::string(kTopic) + "-" + std::to_string(partition);
  for (const std::string& path : disk.files_under(folder)) {
    if (!path.ends_with(".log")) continue;
    const auto bytes = durable ? disk.durable_contents(path) : disk.contents(path);
    const auto found = batches_of(bytes.value_or(""));
    all.insert(all.end(), found.begin(), found.end());
  }
  return all;
}

void Watch::look() {
  History& history = clusters_.history();
  for (int32_t i = 0; i < kPartitions; ++i) {
    for (const StoredBatch& batch : stored(kEast, i, false)) history.seen_at_source(i, batch);
    for (const StoredBatch& batch : stored(kWest, i, false)) {
      if (mirror_ended_ && batch.epoch >= 1 << 16) continue;
      history.seen_at_mirror(i, batch);
      int64_t& end = mirrored_[static_cast<size_t>(i)];
      end = std::max(end, batch.next);
    }
  }
  look_at_ends(clusters_.east());
  look_at_ends(clusters_.west());
  look_at_groups();
}

void Watch::look_at_ends(Node& node) {
  History& history = clusters_.history();
  const bool source = &node == &clusters_.east();
  for (int32_t i = 0; i < kPartitions; ++i) {
    auto partition = clusters_.partition(node, i);
    if (!partition) continue;
    const LogEnds ends = partition->ends();
    const std::string name = std::string(node.host) + " partition " + std::to_string(i) + ": ";
    if (ends.log_start > ends.high_watermark || ends.high_watermark > ends.end ||
        ends.last_stable > ends.high_watermark)
      history.violation(name + "its offsets contradict each other");
    if (node.fsync) {  // against the disk, not against what the log believes of it
      int64_t durable = ends.log_start.value();
      for (const StoredBatch& batch : stored(node.host, i, true))
        if (batch.offset <= durable) durable = std::max(durable, batch.next);
      if (ends.high_watermark.value() > durable)
        history.violation(name + "the high watermark " + std::to_string(ends.high_watermark.value()) +
                          " passed what is durable, " + std::to_string(durable));
    }
    int64_t& last = node.high_watermark[static_cast<size_t>(i)];
    if (ends.high_watermark.value() < last && (source || !clusters_.east().lost))
      history.violation(name + "the high watermark went back from " + std::to_string(last) + " to " +
                        std::to_string(ends.high_watermark.value()));
    last = ends.high_watermark.value();
    if (source) history.source_at(i, last, partition->leadership_epoch().value());
  }
}

void Watch::look_at_groups() {
  // A source that lost its tail makes the mirror follow: commits are lowered then, but not in the same instant. A
  // target that lost its own may have kept a commit about it.
  if (clusters_.east().lost) return;
  for (const auto& [index, offset] : clusters_.committed(clusters_.west(), kGroup)) {
    int64_t end = mirrored_[static_cast<size_t>(index)];
    auto partition = clusters_.partition(clusters_.west(), index);
    if (partition && !clusters_.west().lost) end = partition->ends().high_watermark.value();
    clusters_.history().group_at_target(index, offset, end);
  }
}

bool Watch::in_sync() {
  for (int32_t i = 0; i < kPartitions; ++i) {
    auto source = clusters_.partition(clusters_.east(), i), mirror = clusters_.partition(clusters_.west(), i);
    if (!source || !mirror) return false;
    const LogEnds from = source->ends(), to = mirror->ends();
    if (from.end != from.high_watermark || from.end != to.end || to.end != to.high_watermark) return false;
  }
  return true;
}

bool Watch::groups_in_sync() {
  const auto wanted = clusters_.committed(clusters_.east(), kGroup),
             have = clusters_.committed(clusters_.west(), kGroup);
  for (const auto& [partition, offset] : wanted) {
    auto mirror = clusters_.partition(clusters_.west(), partition);
    auto found = have.find(partition);
    if (!mirror || found == have.end()) return false;
    if (found->second != std::min(offset, mirror->ends().high_watermark.value())) return false;
  }
  return true;
}

void Watch::read(Node& node, int32_t index, std::string& into) {
  auto partition = clusters_.partition(node, index);
  if (!partition) return clusters_.history().violation(std::string(node.host) + ": a partition cannot be read");
  read(node, std::move(partition), into);
}

void Watch::read(Node& node, broker::PartitionPtr partition, std::string& into) {
  if (!clusters_.world().run(*node.env, read_task(partition, into), kReadLimit))
    clusters_.history().violation(std::string(node.host) + " does not answer a read");
}

Task<void> Watch::read_task(broker::PartitionPtr partition, std::string& into) {
  History& history = clusters_.history();
  Offset from = partition->ends().log_start;
  while (from < partition->ends().high_watermark) {
    auto run = co_await partition->log().read_run(from, ReadBound::kHighWatermark, 1 << 20);
    if (!run || run->empty()) {
      history.violation("a read below the high watermark fails: " + (run ? "nothing there" : run.error().to_string()));
      co_return;
    }
    std::string piece(run->bytes.size(), '\0');
    run->bytes.copy_out(0, std::as_writable_bytes(std::span(piece.data(), piece.size())));
    into += piece;
    from = run->next();
  }
}

}  // namespace farshore::simulation
