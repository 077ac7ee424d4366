#include "broker/metadata/producer_ids.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/ensure.h"
#include "broker/metadata/internal/codec.h"

namespace farshore::broker {
namespace {

constexpr int64_t kCounterEnd = int64_t{1} << kProducerIdCounterBits;
constexpr int kAttemptsMax = 20;  // lost compares and ambiguous results in a row

}  // namespace

Task<Status> ProducerIds::start(Deadline deadline) {
  salt_ = metadata_.image()->producer_id_salt;
  ensure(salt_ > 0 && salt_ < (int64_t{1} << kProducerIdSaltBits), "a cluster has a salt of 22 bits");
  CO_TRY(MetaSnapshot stored, co_await metadata_.range(std::string(kProducerIdsKey), {}, deadline));
  if (stored.entries.empty()) co_return ok();
  auto counter = decode_producer_ids(stored.entries.front().value);
  if (!counter) co_return std::move(counter).error();
  co_return ok();
}

Task<Result<int64_t>> ProducerIds::next(Deadline deadline) {
  ensure(salt_ != 0, "producer ids are started");
  if (next_ == block_end_) {
    auto guard = co_await lock_.lock();
    // Another caller may have reserved a block while this one waited.
    if (next_ == block_end_) CO_CHECK(co_await reserve(0, kBlock, deadline));
  }
  co_return salt_ << kProducerIdCounterBits | next_++;
}

Task<Status> ProducerIds::never_below(int64_t producer_id, Deadline deadline) {
  if (producer_id < 0 || producer_id >> kProducerIdCounterBits != salt_) co_return ok();
  int64_t counter = producer_id & (kCounterEnd - 1);
  auto guard = co_await lock_.lock();
  if (counter < next_) co_return ok();
  next_ = block_end_;  // the id may lie in the current block: nothing more leaves it
  co_return co_await reserve(counter + 1, 0, deadline);
}

Task<Status> ProducerIds::reserve(int64_t from, int64_t count, Deadline deadline) {
  const std::string key(kProducerIdsKey);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    CO_TRY(MetaSnapshot stored, co_await metadata_.range(key, {}, deadline));
    Revision revision = 0;
    int64_t counter = 0;
    if (!stored.entries.empty()) {
      revision = stored.entries.front().mod_revision;
      CO_TRY(counter, decode_producer_ids(stored.entries.front().value));
    }
    counter = std::max(counter, from);
    if (counter + count > kCounterEnd)
      co_return Error(ErrorCode::kResourceExhausted, "this cluster has used up its 2^40 producer ids");
    MetaTxn txn;
    txn.conditions.push_back(Compare::revision_is(key, revision));
    txn.then.push_back(KvPut{key, encode_producer_ids(counter + count)});
    auto reply = co_await metadata_.commit(std::move(txn), deadline);
    // Ambiguous: the block may be reserved or not. It is given up, and the next one is asked for.
    if (!reply && reply.error() != ErrorCode::kAmbiguous) co_return std::move(reply).error();
    if (!reply || !reply->succeeded) continue;
    next_ = counter;
    block_end_ = counter + count;
    co_return ok();
  }
  co_return Error(ErrorCode::kUnavailable, "no block of producer ids could be reserved: the store keeps changing");
}

}  // namespace farshore::broker
