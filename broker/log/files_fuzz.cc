// Fuzz target: any bytes as one of the small files beside a segment. Decoding gives an error, or a value that encodes
// and decodes to the same again. Checksums are made valid first, so that the fuzzer reaches the code behind them.
// Input: a byte for the kind of file, then its bytes.
#include "base/crc32c.h"
#include "broker/log/internal/epoch_cache.h"
#include "broker/log/internal/intent.h"
#include "broker/log/internal/log_format.h"
#include "broker/log/internal/offset_index.h"
#include "broker/log/internal/producer_state.h"
#include "broker/log/internal/time_index.h"
#include "broker/log/internal/txn_index.h"

using namespace farshore;

namespace {

constexpr Offset kBase{1000}, kNext{1000000};
constexpr uint64_t kLogBytes = 1 << 20;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 6) {
    case 0:
      if (auto index = OffsetIndex::decode(kBase, text, kLogBytes)) {
        auto again = OffsetIndex::decode(kBase, index->encode(), kLogBytes);  // but for zeros at the end
        ensure(again && again->encode() == index->encode(), "the same entries");
        (void)index->at_or_below(kBase + 7);
        (void)index->at_or_before(kLogBytes / 2);
        index->truncate_to(kBase + 7);
      }
      break;
    case 1:
      if (auto index = TimeIndex::decode(kBase, text, kNext)) {
        auto again = TimeIndex::decode(kBase, index->encode(), kNext);
        ensure(again && again->encode() == index->encode(), "the same entries");
        (void)index->at_or_below(1'700'000'000'000);
        index->truncate_to(kBase + 7);
      }
      break;
    case 2:
      if (auto index = TxnIndex::decode(text, kBase, kNext)) {
        ensure(index->encode() == text, "the same bytes");
        std::vector<AbortedTxn> found;
        (void)index->collect(kBase, kNext, found);
        index->truncate_to(kBase + 7);
      }
      break;
    case 3:
      if (auto epochs = EpochCache::decode(text)) {
        auto again = EpochCache::decode(epochs->encode());
        ensure(again && again->entries() == epochs->entries(), "the same epochs");
        (void)epochs->end_of(LogEpoch(3), kNext);
        (void)epochs->at(kBase);
        epochs->truncate_end(kNext);
        epochs->truncate_start(kBase);
      }
      break;
    case 4: {
      ConstBytes bytes = as_bytes(text);
      if (bytes.size() >= log_format::kSnapshotHeaderBytes)
        store_be<uint32_t>(reinterpret_cast<std::byte*>(text.data()) + log_format::kSnapshotCrcAt,
                           crc32c(bytes.subspan(log_format::kSnapshotCrcFrom)));
      if (auto producers = ProducerState::decode(text)) {
        auto again = ProducerState::decode(producers->encode());
        ensure(again && again->encode() == producers->encode(), "the same producers");
        (void)producers->first_unstable();
        producers->on_high_watermark(kNext);
        producers->expire(1'700'000'000'000, 1000);
      }
      break;
    }
    default:
      text += std::to_string(crc32c(as_bytes(text))) + "\n";
      if (auto intent = Intent::decode(text)) ensure(intent->encode() == text, "the same intent");
  }
  return 0;
}
