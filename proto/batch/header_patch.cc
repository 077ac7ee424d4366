#include "proto/batch/header_patch.h"

#include "base/crc32c.h"

namespace farshore {
namespace {

uint32_t covered_header_crc(const BatchHeader& header) {
  std::array<std::byte, kBatchHeaderBytes> raw;
  header.store(raw);
  return crc32c(ConstBytes(raw).subspan(BatchField::kAttributes));
}

}  // namespace

uint32_t patched_crc(const BatchHeader& before, const BatchHeader& after) {
  ensure(before.batch_length == after.batch_length && before.magic == after.magic, "a patch keeps size and magic");
  uint32_t difference = covered_header_crc(before) ^ covered_header_crc(after);
  return before.crc ^ crc32c_combine(difference, 0, before.size_bytes() - kBatchHeaderBytes);
}

void patch_header(BatchRun& run, size_t index, size_t batch_begin, BatchHeader after) {
  BatchHeader& header = run.batches[index];
  after.crc = patched_crc(header, after);
  std::array<std::byte, kBatchHeaderBytes> raw;
  after.store(raw);
  run.bytes.patch(batch_begin, raw);
  header = after;
}

}  // namespace farshore
