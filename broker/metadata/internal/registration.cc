#include "broker/metadata/internal/registration.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/ensure.h"
#include "broker/metadata/internal/codec.h"

namespace farshore::broker {
namespace {

constexpr int kTriesMax = 16;                            // of a write that keeps losing its compare
constexpr size_t kPartitionsPerTxnMax = kMetaTxnOpsMax;  // epoch raises in one transaction

}  // namespace

Task<Status> Registration::ensure_cluster(std::string cluster_id, int64_t salt, Deadline deadline) {
  const std::string key(kClusterKey);
  CO_TRY(auto found, co_await store_.range(key, {}, deadline));
  if (found.entries.empty()) {
    ClusterRecord record;
    record.cluster_id = cluster_id.empty() ? env_.random().uuid().to_string() : cluster_id;
    record.incarnation = env_.random().uuid();
    record.salt = static_cast<int64_t>(env_.random().below((uint64_t{1} << kProducerIdSaltBits) - 1)) + 1;
    if (salt > 0) record.salt = salt;
    MetaTxn txn;
    txn.conditions.push_back(Compare::absent(key));
    txn.then.push_back(KvPut{key, encode_cluster(record)});
    CO_CHECK(co_await store_.commit(std::move(txn), deadline));
    CO_TRY(found, co_await store_.range(key, {}, deadline));
    if (found.entries.empty())
      co_return Error(ErrorCode::kConflict, "the cluster record is not there after writing it");
  }
  CO_TRY(auto record, decode_cluster(found.entries.front().value));
  if (!cluster_id.empty() && record.cluster_id != cluster_id)
    co_return Error(ErrorCode::kInvalidArgument, "the data directory belongs to cluster " + record.cluster_id +
                                                     ", but cluster.id is " + cluster_id +
                                                     ": use another directory, or remove cluster.id");
  if (salt == 0 || record.salt == salt) co_return ok();
  co_return co_await change_salt(found.entries.front(), salt, deadline);
}

Task<Status> Registration::change_salt(MetaEntry stored, int64_t salt, Deadline deadline) {
  CO_TRY(auto record, decode_cluster(stored.value));
  env_.log().warn("producer ids carry another salt from now on", {{"before", record.salt}, {"now", salt}});
  record.salt = salt;
  MetaTxn txn;
  txn.conditions.push_back(Compare::revision_is(std::string(kClusterKey), stored.mod_revision));
  txn.then.push_back(KvPut{std::string(kClusterKey), encode_cluster(record)});
  CO_TRY(auto reply, co_await store_.commit(std::move(txn), deadline));
  if (!reply.succeeded) co_return Error(ErrorCode::kConflict, "the cluster record was changed meanwhile");
  co_return ok();
}

Task<Status> Registration::register_broker(Deadline deadline) {
  const std::string key = broker_key(self_.id);
  for (int attempt = 0; attempt < kTriesMax; ++attempt) {
    CO_TRY(auto found, co_await store_.range(key, {}, deadline));
    std::string value = encode_broker(self_);
    if (!found.entries.empty() && found.entries.front().value == value) co_return ok();
    MetaTxn txn;
    txn.conditions.push_back(Compare::revision_is(key, found.entries.empty() ? 0 : found.entries.front().mod_revision));
    txn.then.push_back(KvPut{key, std::move(value)});
    CO_TRY(auto reply, co_await store_.commit(std::move(txn), deadline));
    if (reply.succeeded) co_return ok();
  }
  co_return Error(ErrorCode::kConflict,
                  "another process keeps registering as broker " + std::to_string(self_.id.value()));
}

Task<Result<size_t>> Registration::raise_epochs(std::shared_ptr<const ClusterImage> image, Deadline deadline) {
  std::vector<std::pair<TopicId, PartitionImage>> mine;
  for (const auto& [name, topic] : image->topics)
    for (const auto& partition : topic->partitions)
      if (partition.leader == self_.id) mine.emplace_back(topic->id, partition);
  for (size_t at = 0; at < mine.size(); at += kPartitionsPerTxnMax) {
    MetaTxn txn;
    for (size_t i = at; i < std::min(mine.size(), at + kPartitionsPerTxnMax); ++i) {
      PartitionImage& partition = mine[i].second;
      ensure(partition.leadership_epoch.value() < INT32_MAX, "leadership epochs left");
      partition.leadership_epoch = partition.leadership_epoch + 1;
      std::string key = partition_key(mine[i].first, partition.partition);
      txn.conditions.push_back(Compare::revision_is(key, partition.mod_revision));
      txn.then.push_back(KvPut{std::move(key), encode_partition(partition)});
    }
    CO_TRY(auto reply, co_await store_.commit(std::move(txn), deadline));
    if (!reply.succeeded)
      co_return Error(ErrorCode::kConflict, "another process changes this broker's partitions: is broker " +
                                                std::to_string(self_.id.value()) + " running twice?");
  }
  co_return mine.size();
}

}  // namespace farshore::broker
