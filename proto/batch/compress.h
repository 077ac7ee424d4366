// The four codecs of record batches, whole payloads at a time: for tests, the cleaner and the slow path, never for the
// data path. Framings are those of Apache Kafka's Java client: gzip; snappy in xerial's stream format (raw snappy, as
// librdkafka writes it, is read too); lz4 and zstd frames.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/batch/batch.h"

namespace farshore {

// What a compressed payload may become. A payload that promises more is refused before memory is taken for it.
struct DecompressLimits {
  size_t output_bytes_max = 128 << 20;
  size_t ratio_max = 1024;             // output / input ...
  size_t ratio_free_bytes = 16 << 20;  // ... unless the output is at most this (long runs compress very well)
  size_t output_max(size_t input_bytes) const;
};

std::vector<std::byte> compress(Compression codec, ConstBytes input);
// kCorrupt: not what the codec says. kResourceExhausted: beyond the limits.
Result<std::vector<std::byte>> decompress(Compression codec, ConstBytes input, const DecompressLimits& limits);

}  // namespace farshore
