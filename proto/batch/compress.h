// The four codecs of record batches, for whole payloads. For tests, the cleaner and the slow path, not for the data
// path. Framings are those of Apache Kafka's Java client: gzip; snappy in xerial's stream format (raw snappy, as
// librdkafka writes it, is read too); lz4 and zstd frames.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/batch/batch.h"

namespace farshore {

// The size limit of a decompressed payload. A payload that announces more is refused before memory is allocated.
struct DecompressLimits {
  size_t output_bytes_max = 128 << 20;
  size_t ratio_max = 1024;             // output / input ...
  size_t ratio_free_bytes = 16 << 20;  // ... unless the output is at most this (long runs compress very well)
  size_t output_max(size_t input_bytes) const;
};

std::vector<std::byte> compress(Compression codec, ConstBytes input);
// kCorrupt: not valid for the codec. kResourceExhausted: beyond the limits.
Result<std::vector<std::byte>> decompress(Compression codec, ConstBytes input, const DecompressLimits& limits);

}  // namespace farshore
