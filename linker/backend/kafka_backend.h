// KafkaBackend: links of a Kafka target that is not Farshore. They are stored in the topic __farshore_links, written by
// one fenced controller; all relays of the gateway share one journal (topic __farshore_offsets) with its local image.
#pragma once

#include "base/memory_kv.h"
#include "linker/backend/backend.h"
#include "linker/relay/garbage.h"
#include "linker/store/kafka_link_store.h"

namespace farshore::linker {

class KafkaBackend final : public LinkBackend {
 public:
  // References outlive it, options.translations too.
  KafkaBackend(Env& env, Connector& connector, ClusterAdmin& target, LinkBackendOptions options);

  Task<Status> take_over(Deadline deadline) override { return store_.take_control(deadline); }
  LinkStore& store() override { return store_; }
  Task<Status> still_ours(Deadline deadline) override;
  Result<std::unique_ptr<LinkTarget>> make_target(const StoredLink& link) override;
  Task<Status> collect_garbage(std::string link, Deadline deadline) override;
  void show_metrics(MetricRegistry& registry) const override;
  Task<void> stop() override;

 private:
  Env& env_;
  Connector& connector_;
  kafka::ClusterClient data_;  // of its own: journal writes never wait behind metadata
  MemoryKv memory_;
  offsets::TranslationStore translations_;
  KafkaLinkStore store_;
  KafkaRelayJournal journal_;
  RelayGarbage garbage_;
};

}  // namespace farshore::linker
