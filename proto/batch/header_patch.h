// Changes header fields that the CRC covers, without a pass over the records. CRC-32C is linear, so the new CRC is the
// old one combined with the difference of the 40 header bytes. A CRC that was wrong before is wrong afterwards, so
// corruption cannot be hidden.
#pragma once

#include "proto/batch/batch.h"

namespace farshore {

// The CRC of the batch after its header changes from `before` to `after`. Both must have the same batch_length.
uint32_t patched_crc(const BatchHeader& before, const BatchHeader& after);

// Replaces the header of batch `index`, which begins at `batch_begin` of run.bytes, by `after`, in the bytes and in the
// header copy. Computes the crc field. batch_length and magic must be the same. The caller must own the bytes.
void patch_header(BatchRun& run, size_t index, size_t batch_begin, BatchHeader after);

}  // namespace farshore
