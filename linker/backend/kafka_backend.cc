#include "linker/backend/kafka_backend.h"

#include "linker/relay/relay_target.h"
#include "proto/link/keys.h"

namespace farshore::linker {

KafkaBackend::KafkaBackend(Env& env, Connector& connector, ClusterAdmin& target, LinkBackendOptions options)
    : env_(env),
      connector_(connector),
      data_(env, connector, data_cluster_options(options.target, options.target_cluster_id)),
      translations_(options.translations ? *options.translations : memory_),
      store_(env, target.client()),
      journal_(env, data_, translations_),
      garbage_(env, data_, store_, journal_) {
  journal_.start();
}

Task<Status> KafkaBackend::still_ours(Deadline deadline) {
  CO_CHECK(co_await store_.read(std::string(kControllerKey), deadline));
  co_return co_await store_.keep_control(deadline);
}

Result<std::unique_ptr<LinkTarget>> KafkaBackend::make_target(const StoredLink& link) {
  const RelayServices services{store_, journal_, translations_};
  if (link.spec.mode == LinkMode::kRelay) return std::make_unique<RelayTarget>(env_, connector_, link, services);
  return Error(ErrorCode::kInvalidArgument,
               "the target is no Farshore cluster: mirror mode keeps offsets, which only it can; use --mode relay");
}

Task<Status> KafkaBackend::collect_garbage(std::string link, Deadline deadline) {
  return garbage_.collect(std::move(link), deadline);
}

void KafkaBackend::show_metrics(MetricRegistry& registry) const {
  const RelayJournalStatus status = journal_.status();
  auto show = [&registry](const char* name, const char* help, double value) { registry.gauge(name, help).set(value); };
  show("farshore_gateway_translation_keys", "Relayed partitions whose map this gateway writes.",
       static_cast<double>(status.keys));
  show("farshore_gateway_translation_keys_stopped",
       "Of these: not written down for now, because the target or the local disk refuses it; the log says which.",
       static_cast<double>(status.keys_stopped));
  show("farshore_gateway_translation_keys_behind", "Of these: something relayed is not written down yet.",
       static_cast<double>(status.keys_behind));
  show("farshore_gateway_translation_lag_ms", "For how long, of the one that is behind longest.",
       static_cast<double>(std::chrono::duration_cast<milliseconds>(status.lag).count()));
}

Task<void> KafkaBackend::stop() {
  data_.close();
  co_await journal_.stop();
}

}  // namespace farshore::linker
