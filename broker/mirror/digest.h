// Digests of offset ranges, for comparing both ends of a link without moving the bytes.
#pragma once

#include <vector>

#include "broker/log/log.h"

namespace farshore::broker {

struct RangeDigest {
  Offset from, to;
  int64_t batches = 0;
  std::vector<std::byte> digest;  // SHA-256 over (base offset, leader epoch, CRC, length) of each batch, big-endian
};

// Splits [from, to) into at most `ranges` parts of about as many offsets each, cut where batches begin: the same cuts
// at both ends of a mirror, because both have the same batches. Only what is below the high watermark is digested. Each
// batch's CRC is verified: a digest vouches for the bytes.
Task<Result<std::vector<RangeDigest>>> digest_ranges(Log& log, Offset from, Offset to, int ranges);

}  // namespace farshore::broker
