#include "linker/store/backend.h"

#include "base/memory_kv.h"
#include "linker/link/mirror_target.h"
#include "linker/relay/garbage.h"
#include "linker/relay/journal.h"
#include "linker/relay/relay_target.h"
#include "linker/store/kafka_link_store.h"
#include "linker/store/metastore_link_store.h"

namespace farshore::linker {
namespace {

class FarshoreHome final : public LinkHome {
 public:
  FarshoreHome(Env& env, Connector& connector, ClusterAdmin& target)
      : env_(env), connector_(connector), store_(target.client()) {}

  Task<Status> take_over(Deadline) override { co_return ok(); }  // each link by its epoch
  LinkStore& store() override { return store_; }
  Task<Status> still_ours(Deadline) override { co_return ok(); }  // every write says whose it is
  Result<std::unique_ptr<LinkTarget>> make_target(const StoredLink& link) override {
    if (link.spec.mode == LinkMode::kMirror) return std::make_unique<MirrorTarget>(env_, connector_, link);
    return Error(ErrorCode::kInvalidArgument,
                 "the target is a Farshore cluster, which has no transactions yet, and a relay fences with them; use "
                 "--mode mirror: it keeps the same offsets");
  }
  Task<void> stop() override { co_return; }

 private:
  Env& env_;
  Connector& connector_;
  MetastoreLinkStore store_;
};

class KafkaHome final : public LinkHome {
 public:
  KafkaHome(Env& env, Connector& connector, ClusterAdmin& target, LinkHomeOptions options)
      : env_(env),
        connector_(connector),
        data_(env, connector, data_cluster_options(options.target, options.target_cluster_id)),
        translations_(options.translations ? *options.translations : memory_),
        store_(env, target.client()),
        journal_(env, data_, translations_),
        leftovers_(env, data_, store_, journal_) {
    journal_.start();
  }

  Task<Status> take_over(Deadline deadline) override { co_return co_await store_.take_control(deadline); }
  LinkStore& store() override { return store_; }
  Task<Status> still_ours(Deadline deadline) override {
    CO_CHECK(co_await store_.list(std::string(kLinkKeyPrefix), deadline));
    co_return ok();
  }
  void show_metrics(MetricRegistry& registry) const override {
    const RelayJournalStatus status = journal_.status();
    registry.gauge("farshore_gateway_translation_keys", "Relayed partitions whose map this gateway writes.")
        .set(static_cast<double>(status.keys));
    registry
        .gauge(
            "farshore_gateway_translation_keys_stopped",
            "Of these: not written down for now, because the target or the local disk refuses it; the log says which.")
        .set(static_cast<double>(status.keys_stopped));
    registry.gauge("farshore_gateway_translation_keys_behind", "Of these: something relayed is not written down yet.")
        .set(static_cast<double>(status.keys_behind));
    registry.gauge("farshore_gateway_translation_lag_ms", "For how long, of the one that is behind longest.")
        .set(static_cast<double>(std::chrono::duration_cast<milliseconds>(status.lag).count()));
  }
  Task<Status> forget_deleted(std::string link, Deadline deadline) override {
    co_return co_await leftovers_.forget(std::move(link), deadline);
  }
  Result<std::unique_ptr<LinkTarget>> make_target(const StoredLink& link) override {
    const RelayServices services{store_, journal_, translations_};
    if (link.spec.mode == LinkMode::kRelay) return std::make_unique<RelayTarget>(env_, connector_, link, services);
    return Error(ErrorCode::kInvalidArgument,
                 "the target is no Farshore cluster: mirror mode keeps offsets, which only it can; use --mode relay");
  }
  Task<void> stop() override {
    data_.close();
    co_await journal_.stop();
  }

 private:
  Env& env_;
  Connector& connector_;
  kafka::ClusterClient data_;  // of its own: what is written down never waits behind metadata
  MemoryKv memory_;
  offsets::TranslationStore translations_;
  KafkaLinkStore store_;
  KafkaRelayJournal journal_;
  RelayLeftovers leftovers_;
};

}  // namespace

std::unique_ptr<LinkHome> make_link_home(Env& env, Connector& connector, ClusterAdmin& target, bool farshore,
                                         LinkHomeOptions options) {
  if (farshore) return std::make_unique<FarshoreHome>(env, connector, target);
  return std::make_unique<KafkaHome>(env, connector, target, std::move(options));
}

}  // namespace farshore::linker
