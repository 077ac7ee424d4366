#include "linker/target/link_target.h"

#include <algorithm>

#include "base/side_by_side.h"
#include "proto/kafka/error_code.h"

namespace farshore::linker {
namespace {

constexpr size_t kMakesAtOnce = 32;

Task<void> make_one(LinkTarget& target, WantedTopic wanted, LinkSource source, Result<TargetTopic>& out,
                    Deadline deadline) {
  out = co_await target.make(std::move(wanted), source, deadline);
}

}  // namespace

Task<std::vector<Result<TargetTopic>>> LinkTarget::make_all(std::vector<WantedTopic> wanted, LinkSource source,
                                                            Deadline deadline) {
  std::vector<Result<TargetTopic>> out(wanted.size(), Error(ErrorCode::kInternal, "not asked"));
  OneOfMany one = [&](size_t i) { return make_one(*this, std::move(wanted[i]), source, out[i], deadline); };
  co_await side_by_side(cluster().client().env(), out.size(), kMakesAtOnce, std::move(one));
  co_return out;
}

void add_what_was_seen(PromotionRecord& record, const std::vector<LinkPartition>& pumps,
                       const replicator::Replicator& replicator, MonoTime now) {
  for (auto& end : record.partitions) {
    if (end.partition < 0 || static_cast<size_t>(end.partition) >= pumps.size()) continue;
    if (end.state == EndState::kOffline) continue;  // where it ends is not known yet
    auto progress = replicator.progress(pumps[static_cast<size_t>(end.partition)]);
    if (!progress || !progress->heard()) {
      // What the target heard last is not above its end: that says nothing about what the source has.
      if (end.lost_at_least_records == 0) end.lost_at_least_ms = -1;
      continue;
    }
    end.source_high_watermark = std::max(end.source_high_watermark, progress->pump.source.high_watermark);
    end.lost_at_least_records = std::max<int64_t>(0, end.source_high_watermark - end.failover_offset);
    end.blind_window_ms = std::chrono::duration_cast<milliseconds>(now - progress->known_as_of).count();
    if (end.lost_at_least_records > 0)
      end.lost_at_least_ms = std::chrono::duration_cast<milliseconds>(progress->pump.lag).count();
  }
}

// Kafka's name of the code stands in the details of mirror_error() and kafka::to_error().
std::optional<TargetTopic> left_out_for_its_name(const std::string& topic, const Error& refused) {
  if (refused != ErrorCode::kInvalidArgument) return std::nullopt;
  const auto code = kafka::error_name(kafka::ErrorCode::kInvalidTopicException);
  if (refused.detail.find(code) == std::string::npos) return std::nullopt;
  TargetTopic left_out;
  left_out.topic = topic;
  left_out.left_out = "the target can have no topic of this name: " + refused.detail;
  return left_out;
}

kafka::ClusterOptions data_cluster_options(const std::vector<Endpoint>& bootstrap, const ClusterId& cluster,
                                           kafka::ClientOptions client) {
  kafka::ClusterOptions options;
  options.client = std::move(client);
  options.bootstrap = bootstrap;
  if (!cluster.empty()) options.cluster_id = cluster.value();
  options.connect_timeout = seconds(5);
  options.request_timeout = seconds(10);
  return options;
}

}  // namespace farshore::linker
