#include "broker/mirror/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/turn_budget.h"

namespace farshore::broker {
namespace {

constexpr size_t kDigestReadBytes = 1 << 20;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) { reset(); }
  void reset() { ensure(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1, "OpenSSL has SHA-256"); }
  void add(ConstBytes bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::vector<std::byte> finish() {
    std::vector<std::byte> out(32);
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out.data()), &size);
    reset();
    return out;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

Task<Result<std::vector<RangeDigest>>> digest_ranges(Env& env, Log& log, Offset from, Offset to, int ranges,
                                                     Deadline deadline) {
  std::vector<RangeDigest> out;
  from = std::max(from, log.ends().log_start);
  to = std::min(to, log.ends().high_watermark);
  if (from >= to) co_return out;
  const int64_t step = std::max<int64_t>(1, (to - from + ranges - 1) / std::max(ranges, 1));
  Sha256 sha;
  RangeDigest range;
  range.from = range.to = from;
  auto close = [&] {
    if (range.batches == 0) return;
    range.digest = sha.finish();
    out.push_back(std::move(range));
    range = RangeDigest();
    range.from = range.to = out.back().to;
  };
  TurnBudget turn(env);
  Offset at = from;
  while (at < to) {
    if (deadline.passed(env.now())) co_return Error(ErrorCode::kTimedOut, "the range is too long for one answer");
    CO_TRY(auto run, co_await log.read_run(at, ReadBound::kHighWatermark, kDigestReadBytes));
    if (run.empty()) break;
    size_t begin = 0;
    for (const auto& batch : run.batches) {
      if (batch.first() >= to) break;
      CO_CHECK(verify_crc(batch, run.bytes, begin));
      begin += batch.size_bytes();
      if (turn.spend(batch.size_bytes())) co_await turn.next_turn();
      if (batch.last() < from) continue;
      // The range that this batch begins in; a cut is where a batch begins at or behind a multiple of `step`.
      if (range.batches > 0 && (batch.first() - from) / step != (range.from - from) / step) close();
      if (range.batches == 0) range.from = std::max(batch.first(), from);
      std::byte row[20];
      store_be<int64_t>(row, batch.base_offset);
      store_be<int32_t>(row + 8, batch.partition_leader_epoch);
      store_be<uint32_t>(row + 12, batch.crc);
      store_be<int32_t>(row + 16, batch.batch_length);
      sha.add(row);
      ++range.batches;
      range.to = batch.next();
    }
    at = run.next();
  }
  close();
  co_return out;
}

}  // namespace farshore::broker
