#include "linker/link/target.h"

#include <algorithm>

namespace farshore::linker {

void add_what_was_seen(api::PromotionRecord& record, const std::vector<replicator::PumpKey>& pumps,
                       const replicator::Replicator& replicator, MonoTime now) {
  for (auto& out : *record.mutable_partitions()) {
    if (out.partition() < 0 || static_cast<size_t>(out.partition()) >= pumps.size()) continue;
    auto progress = replicator.progress(pumps[static_cast<size_t>(out.partition())]);
    if (!progress || !progress->contact) continue;
    const int64_t seen = progress->pump.source.high_watermark.value();
    if (seen > out.source_high_watermark()) out.set_source_high_watermark(seen);
    out.set_lost_at_least_records(std::max<int64_t>(0, out.source_high_watermark() - out.failover_offset()));
    out.set_blind_window_ms(std::chrono::duration_cast<milliseconds>(now - progress->known_as_of).count());
    if (out.lost_at_least_records() > 0)
      out.set_lost_at_least_ms(std::chrono::duration_cast<milliseconds>(progress->pump.lag).count());
  }
}

kafka::ClusterOptions data_cluster_options(const std::vector<Endpoint>& bootstrap, const std::string& cluster_id) {
  kafka::ClusterOptions options;
  options.bootstrap = bootstrap;
  if (!cluster_id.empty()) options.cluster_id = cluster_id;
  options.connect_timeout = seconds(5);
  options.request_timeout = seconds(10);
  return options;
}

}  // namespace farshore::linker
