// Changes fields inside the CRC-covered part of a batch header without a pass over the records. CRC-32C is linear: the
// new CRC is the old one, combined with the difference that the 40 changed bytes make. So a CRC that was wrong before
// is wrong afterwards: nothing is laundered.
#pragma once

#include "proto/batch/batch.h"

namespace farshore {

// The CRC of the batch with header `after`, given that with header `before` it is before.crc. Both have the same
// batch_length.
uint32_t patched_crc(const BatchHeader& before, const BatchHeader& after);

// Replaces the header of batch `index`, which begins at `batch_begin` of run.bytes, by `after` (its crc field is
// computed here), in the bytes and in the header copy. batch_length and magic must stay. Only for the owner of the
// bytes.
void patch_header(BatchRun& run, size_t index, size_t batch_begin, BatchHeader after);

}  // namespace farshore
