#include "linker/link/model/source_cluster.h"

#include <algorithm>

#include "base/gate.h"
#include "proto/kafka/client/partition_reader.h"

namespace farshore::linker {
namespace {

constexpr size_t kEndsAtOnce = 256;  // questions to the source

}  // namespace

SourceCluster::SourceCluster(Env& env, Connector& connector, const LinkSpec& spec)
    : env_(env),
      bootstrap_(spec.source),
      admin_(env, connector, "source", spec.source, spec.source_cluster_id.value()),
      mirrors_(admin_.client()),
      data_(env, connector, data_cluster_options(spec.source, spec.source_cluster_id)),
      verify_(env, connector, data_cluster_options(spec.source, spec.source_cluster_id)),
      verify_mirrors_(verify_),
      known_(!spec.source_incarnation.empty()),
      farshore_(known_) {}

void SourceCluster::set_bootstrap(const std::vector<Endpoint>& bootstrap) {
  bootstrap_ = bootstrap;
  admin_.client().set_bootstrap(bootstrap);
  data_.set_bootstrap(bootstrap);
  verify_.set_bootstrap(bootstrap);
}

Task<Result<std::map<int32_t, int64_t>>> SourceCluster::end_offsets(std::string topic, Deadline deadline) {
  std::vector<std::string> names{topic};
  CO_TRY(auto view, co_await admin_.client().refresh(std::move(names), deadline));
  auto found = view->topics.find(topic);
  if (found == view->topics.end() || found->second.error_code != 0)
    co_return Error(ErrorCode::kNotFound, "source topic " + topic + " is gone");
  std::vector<int32_t> partitions;
  for (const auto& entry : found->second.partitions) partitions.push_back(entry.first);
  std::map<int32_t, int64_t> ends;
  Status result;
  // All at once: over a long way it costs one round trip, not one for each partition.
  for (size_t at = 0; at < partitions.size(); at += kEndsAtOnce) {
    Gate asks(env_);
    for (size_t i = at; i < std::min(partitions.size(), at + kEndsAtOnce); ++i) {
      TopicPartition where{topic, partitions[i]};
      spawn(asks, "source end", ask_end(std::move(where), deadline, ends, result));
    }
    co_await asks.close();
    if (!result) co_return std::move(result).error();
  }
  co_return ends;
}

Task<void> SourceCluster::ask_end(TopicPartition where, Deadline deadline, std::map<int32_t, int64_t>& ends,
                                  Status& result) {
  const int32_t partition = where.partition;
  auto end = co_await kafka::partition_offset(admin_.client(), std::move(where), kafka::OffsetOf::kEnd, deadline);
  if (end)
    ends[partition] = end->value();
  else
    result = std::move(end).error();
}

void SourceCluster::close() {
  admin_.close();
  data_.close();
  verify_.close();
}

}  // namespace farshore::linker
