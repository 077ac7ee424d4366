// Torn transactions: open at the end of a mirror, so aborted there, although the source had committed them and the link
// brought that commit to another partition. What one transaction wrote is then visible in part; nobody can mend that,
// so it is named.
// Rule: the transaction that a COMMIT marker ended on another partition of the link has the same producer id and epoch
// (of its data: since KIP-890 the marker's is one higher, and an epoch is one transaction), and the marker is not older
// than the open transaction's first batch. Older producers use one epoch for many transactions: there the rule compares
// the source's clock (markers) with the producer's (data), and is as right as these two agree.
#pragma once

#include "broker/metadata/cluster_image.h"
#include "broker/metadata/metadata.h"
#include "broker/services.h"

namespace farshore::broker {

// Fills `committed` of the transactions in `record`, which is about the mirror `topic`. What cannot be read is logged
// and left out: a failover does not wait for a broken disk.
Task<void> find_torn(Services& services, TopicPtr topic, PromotionRecord& record, Deadline deadline);

}  // namespace farshore::broker
