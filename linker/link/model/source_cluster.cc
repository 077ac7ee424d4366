#include "linker/link/model/source_cluster.h"

#include "proto/kafka/client/partition_reader.h"

namespace farshore::linker {

SourceCluster::SourceCluster(Env& env, Connector& connector, const LinkSpec& spec)
    : admin_(env, connector, "source", spec.source, spec.source_cluster_id.value()),
      mirrors_(admin_.client()),
      data_(env, connector, data_cluster_options(spec.source, spec.source_cluster_id)) {}

Task<Result<std::map<int32_t, int64_t>>> SourceCluster::end_offsets(std::string topic, Deadline deadline) {
  std::vector<std::string> names{topic};
  CO_TRY(auto view, co_await admin_.client().refresh(std::move(names), deadline));
  auto found = view->topics.find(topic);
  if (found == view->topics.end() || found->second.error_code != 0)
    co_return Error(ErrorCode::kNotFound, "source topic " + topic + " is gone");
  std::map<int32_t, int64_t> ends;
  for (const auto& entry : found->second.partitions) {
    const int32_t partition = entry.first;
    TopicPartition where{topic, partition};
    CO_TRY(Offset end,
           co_await kafka::partition_offset(admin_.client(), std::move(where), kafka::OffsetOf::kEnd, deadline));
    ends[partition] = end.value();
  }
  co_return ends;
}

void SourceCluster::close() {
  admin_.close();
  data_.close();
}

}  // namespace farshore::linker
