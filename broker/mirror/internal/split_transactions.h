// Finds torn transactions. A transaction that is open at the end of a mirror is aborted there. It is torn if the source
// had committed it, and the commit was mirrored to another partition: then a part of it is visible. This cannot be
// repaired, so it is recorded.
// Rule: the transaction that a COMMIT marker ended on another partition of the link has the same producer id and epoch
// (of its data: since KIP-890 the marker's is one higher, and an epoch is one transaction), and the marker is not older
// than the open transaction's first batch. Older producers use one epoch for many transactions: there the rule compares
// the source's clock (markers) with the producer's (data), and is as right as these two agree.
#pragma once

#include "base/env.h"
#include "broker/metadata/metadata.h"
#include "broker/partitions/partition_table.h"

namespace farshore::broker {

// Who asks holds the locks of the mirror, or must still write the result before his deadline.
inline constexpr Duration kTornSearchMax = seconds(3);

// Fills `committed` of the transactions in `record`, which is about the mirror `topic`. Ends at `deadline`, and after
// kTornSearchMax: what the logs remember is asked first, then the logs are read. A failover does not wait for a broken
// or a slow disk: a transaction that was not looked for everywhere is `maybe_torn`.
Task<void> find_torn(Env& env, const MetadataManager& metadata, const PartitionTable& partitions, TopicPtr topic,
                     PromotionRecord& record, Deadline deadline);

}  // namespace farshore::broker
