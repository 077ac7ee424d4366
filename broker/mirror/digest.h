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
// at both ends of a mirror, because both have the same batches. Only offsets below the high watermark are digested.
// Each batch's CRC is verified, so equal digests mean equal bytes. Errors: those of Log reads; kCorrupt: a wrong CRC.
// A long range takes many turns (TurnBudget), so other requests go on meanwhile. kTimedOut: `deadline` has passed, and
// nobody waits for the answer.
Task<Result<std::vector<RangeDigest>>> digest_ranges(Env& env, Log& log, Offset from, Offset to, int ranges,
                                                     Deadline deadline);

}  // namespace farshore::broker
