// Any bytes as the records of a batch, plain or compressed, behind a header that is right: an error, or records within
// the batch's offsets and the limits. Input: codec, record count, the records' bytes.
#include "base/crc32c.h"
#include "proto/batch/records.h"

using namespace farshore;

namespace {

constexpr size_t kOutputMax = 1 << 20;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto codec = static_cast<Compression>(data[0] % 5);
  const ConstBytes payload(reinterpret_cast<const std::byte*>(data + 2), size - 2);
  DecompressLimits limits;
  limits.output_bytes_max = limits.ratio_free_bytes = kOutputMax;
  if (auto plain = decompress(codec, payload, limits))
    ensure(codec == Compression::kNone || plain->size() <= kOutputMax, "the limit holds");

  BatchHeader header;
  header.batch_length = static_cast<int32_t>(kBatchHeaderBytes - kBatchLengthOverhead + payload.size());
  header.attributes = static_cast<int16_t>(codec) | ((data[0] & 0x80) != 0 ? 0x20 : 0);
  header.base_timestamp = header.max_timestamp = 1'700'000'000'000;
  header.record_count = data[1];
  header.last_offset_delta = data[1] == 0 ? 0 : data[1] - 1;
  std::vector<std::byte> batch(kBatchHeaderBytes + payload.size());
  std::copy(payload.begin(), payload.end(), batch.begin() + kBatchHeaderBytes);
  header.store(std::span<std::byte, kBatchHeaderBytes>(batch.data(), kBatchHeaderBytes));
  header.crc = crc32c(ConstBytes(batch).subspan(BatchField::kAttributes));
  header.store(std::span<std::byte, kBatchHeaderBytes>(batch.data(), kBatchHeaderBytes));
  auto parsed = BatchHeader::parse(batch);
  if (!parsed) return 0;
  if (auto reader = RecordReader::open(*parsed, batch, limits)) {
    Record record;
    int count = 0;
    for (auto more = reader->next(record); more && *more; more = reader->next(record), ++count)
      ensure(record.offset >= parsed->first() && record.offset <= parsed->last(), "offsets are the batch's");
    ensure(count <= parsed->record_count, "no more records than announced");
  }
  (void)read_marker(*parsed, batch);
  return 0;
}
