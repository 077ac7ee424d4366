// libFuzzer: any bytes, as a Fetch response's records and as one batch. Whatever is accepted must be consistent.
#include <algorithm>

#include "base/crc32c.h"
#include "proto/batch/header_patch.h"
#include "proto/batch/records.h"

using namespace farshore;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > kSlabBytes) return 0;
  static SlabArena arena;
  SlabRef slab = arena.allocate(size);
  std::memcpy(slab.data(), data, size);
  // The first byte decides where the bytes are cut into slices, so that fields straddle slabs.
  SliceList bytes;
  size_t cut = 1 + data[0];
  for (size_t at = 0; at < size; at += cut) {
    size_t n = std::min(cut, size - at);
    SlabRef part = arena.allocate(n);
    std::memcpy(part.data(), slab.data() + at, n);
    bytes.append(Slice(std::move(part), 0, n));
    if (bytes.slices().size() > 16) cut = size;
  }
  ParseBatches how;
  how.allow_partial = true;
  auto run = parse_batches(bytes, how);
  if (!run) return 0;
  DecompressLimits limits;
  limits.output_bytes_max = limits.ratio_free_bytes = 1 << 20;
  size_t begin = 0;
  for (size_t i = 0; i < run->batches.size(); ++i) {
    BatchHeader header = run->batches[i];
    bool valid = verify_crc(header, run->bytes, begin).has_value();
    if (auto reader = RecordReader::open(header, run->bytes, begin, limits)) {
      Record record;
      for (auto more = reader->next(record); more && *more; more = reader->next(record)) {
        ensure(record.offset >= header.first() && record.offset <= header.last(), "offsets are the batch's");
      }
    }
    if (header.control()) (void)read_marker(header, run->bytes, begin);
    BatchHeader after = header;
    after.producer_id = 77;
    after.base_sequence = 5;
    patch_header(*run, i, begin, after);
    ensure(verify_crc(run->batches[i], run->bytes, begin).has_value() == valid, "a patch neither breaks nor launders");
    begin += header.size_bytes();
  }
  ensure(begin == run->bytes.size(), "a run is exactly its batches");
  return 0;
}
