// StubTarget: a LinkTarget for tests that makes every topic it is asked for, and can do nothing else. `lost` are topics
// that it does not have any more, with the reason.
#pragma once

#include <functional>

#include "linker/target/link_target.h"
#include "linker/target/testing/stub_sink.h"

namespace farshore::linker {

class StubTarget final : public LinkTarget {
 public:
  StubTarget(Env& env, Connector& connector, StubSink& sink)
      : cluster_(env, connector, "target", {Endpoint{"west", 9092}}, ""), sink_(sink) {}
  ClusterAdmin& cluster() override { return cluster_; }
  replicator::BatchSink& sink() override { return sink_; }
  std::string kind() const override { return "kafka"; }
  Status fits(const ClusterIdentity&) const override { return ok(); }
  Task<Result<std::vector<TargetTopic>>> adopt(Deadline) override { co_return std::vector<TargetTopic>(); }
  Task<Result<TargetTopic>> make(WantedTopic wanted, LinkSource, Deadline) override {
    TargetTopic topic;
    topic.topic = topic.source_topic = wanted.topic;
    topic.id = TargetTopicId{{7}};
    topic.source_id = SourceTopicId(wanted.source.id);
    topic.partitions = wanted.source.partitions;
    co_return topic;
  }
  Task<Result<ConfigPlan>> configs(std::string, std::map<std::string, std::string> followed, bool, Deadline) override {
    ConfigPlan plan;
    plan.wanted = std::move(followed);
    co_return plan;
  }
  std::function<Task<Result<PromotionRecord>>(EndOfTopic, replicator::Replicator&)> on_end;  // null: it cannot
  Task<Result<PromotionRecord>> end(EndOfTopic request, replicator::Replicator& pumps, Deadline) override {
    if (!on_end) co_return Error(ErrorCode::kUnsupported);
    co_return co_await on_end(std::move(request), pumps);
  }
  Task<Result<std::optional<TargetOffset>>> to_target(LinkPartition, SourceOffset) override {
    co_return Error(ErrorCode::kUnsupported);
  }
  Task<Result<api::TranslateOffsetReply>> translate(TargetTopic, api::TranslateOffsetRequest, SourceOffset) override {
    co_return Error(ErrorCode::kUnsupported);
  }
  Task<Status> verify(TargetTopic, int32_t, LinkSource, Verified, Deadline) override {
    co_return Error(ErrorCode::kUnsupported);
  }
  Task<Result<std::map<std::string, std::string>>> gone(Deadline) override { co_return lost; }
  void close() override { cluster_.close(); }

  std::map<std::string, std::string> lost;

 private:
  ClusterAdmin cluster_;
  StubSink& sink_;
};

}  // namespace farshore::linker
