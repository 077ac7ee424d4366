// For tests: what is done to the topics and partitions of a broker in a simulation.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "broker/metadata/metadata.h"
#include "broker/partitions/partition_table.h"
#include "broker/partitions/topic_creator.h"
#include "broker/testing/test_cluster.h"
#include "proto/batch/builder.h"

namespace farshore::broker {

inline Task<void> make(TestCluster& cluster, std::string name, int32_t partitions) {
  NewTopic topic;
  topic.name = std::move(name);
  topic.partitions = partitions;
  auto made = co_await cluster.services().topics.create(std::move(topic), cluster.env().in(seconds(60)));
  EXPECT_FALSE(made.refusal) << made.refusal.message;
}

inline Task<void> append(TestCluster& cluster, PartitionPtr partition, size_t bytes, AppendOrigin origin,
                         ErrorCode& code) {
  BatchBuilder builder;
  builder.add(1'700'000'000'000, "key", std::string(bytes, 'x'));
  BatchRun run = builder.build_run(cluster.arena());
  auto info = co_await partition->append(std::move(run), origin);
  code = info ? ErrorCode::kNone : info.error().code;
  if (!info) co_return;
  auto committed = co_await partition->wait_committed(info->last, cluster.env().in(seconds(60)));
  if (!committed) code = committed.error().code;
}

inline ErrorCode appended(TestCluster& cluster, const std::string& topic, int32_t index, size_t bytes,
                          AppendOrigin origin = AppendOrigin::kClient) {
  auto found = cluster.services().partitions.find(std::string_view(topic), index);
  if (!found) return found.error().code;
  ErrorCode code = ErrorCode::kInternal;
  cluster.run_inside(append(cluster, *found, bytes, origin, code));
  return code;
}

inline Task<void> remove(TestCluster& cluster, std::string name) {
  Services& services = cluster.services();
  TopicId id = services.metadata.image()->topic(name)->id;
  auto removed = co_await services.metadata.delete_topic(id, cluster.env().in(seconds(60)));
  EXPECT_TRUE(removed) << removed.error().to_string();
  auto applied =
      co_await services.partitions.wait_for(services.metadata.image()->revision, cluster.env().in(seconds(60)));
  EXPECT_TRUE(applied) << applied.error().to_string();
}

inline Task<void> count_directories(TestCluster& cluster, std::string prefix, size_t& count) {
  auto names = co_await cluster.env().files().list("/data");
  EXPECT_TRUE(names);
  if (!names) co_return;
  count = 0;
  for (const auto& name : *names) count += name.starts_with(prefix) && !name.ends_with("-stray") ? 1 : 0;
}

inline size_t directories(TestCluster& cluster, const std::string& prefix) {
  size_t count = 0;
  cluster.run_inside(count_directories(cluster, prefix, count));
  return count;
}

}  // namespace farshore::broker
