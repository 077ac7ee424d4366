// fence(): takes Kafka partitions over under a transactional id, so that its former owner can write to them no more.
//
// A broker refuses a producer only after the partition itself has seen a newer epoch of that producer id, and only a
// transaction marker carries an epoch to a partition without data. So the takeover is InitProducerId (raises the
// epoch), AddPartitionsToTxn, EndTxn(abort); the abort marker that the coordinator then writes is the fence. Every
// batch of the former owner is before our marker or is refused. Afterwards the new owner produces without a
// transaction, under its (id, epoch), from sequence 0 (KIP-98, KIP-360).
//
// A takeover costs one offset per partition. The marker clears the broker's state of the old epoch: call
// DescribeProducers before. EndTxn is sent in version 4 at most, because version 5 raises the epoch once more
// (KIP-890). Behaviour as seen with Apache Kafka 4.1.1. Executor: the Env's.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "proto/kafka/client/partition_reader.h"
#include "proto/kafka/producer_identity.h"

namespace farshore::kafka {

// Resolves when the coordinator has accepted the abort and is writing markers to all `partitions`; find_marker() waits
// for a marker. Calls are repeated until the deadline while the coordinator moves, loads, or ends an earlier
// transaction (CONCURRENT_TRANSACTIONS). kFenced: other takeovers won, several times; kPermissionDenied; kNotFound: a
// partition does not exist; kTimedOut: markers may or may not come, so fence again.
Task<Result<ProducerIdentity>> fence(ClusterClient& cluster, std::string transactional_id,
                                     std::vector<TopicPartition> partitions, Deadline deadline);

// The first step of fence(), InitProducerId. It fences nothing by itself. kFenced: another takeover won.
Task<Result<ProducerIdentity>> raise_epoch(ClusterClient& cluster, std::string transactional_id, Deadline deadline);

// The same by the id's owner, who goes on as such: only if nobody has raised the epoch since `owner` (KIP-360; Apache
// Kafka 2.5). A repeated call gets the same answer. kFenced: somebody has. Another producer id than the owner's: the
// cluster had forgotten the id, or its epochs are used up; nothing fences the old producer id. kUnsupported.
Task<Result<ProducerIdentity>> raise_own_epoch(ClusterClient& cluster, std::string transactional_id,
                                               ProducerIdentity owner, Deadline deadline);

// The other steps of fence(), for `producer` as raise_epoch() returned it. Errors as fence(), but kFenced at once when
// somebody else has raised the epoch since.
Task<Status> send_markers(ClusterClient& cluster, std::string transactional_id, ProducerIdentity producer,
                          std::vector<TopicPartition> partitions, Deadline deadline);

// Receives one batch of a partition; it begins at `batch_begin` in `bytes`. An error ends the reading and is returned.
using OnBatch = std::function<Status(const BatchHeader& header, const SliceList& bytes, size_t batch_begin)>;

struct MarkerFound {
  Offset marker;        // of the control batch
  Offset scanned_from;  // first offset that was read: the reader's position, or the log start if that was higher
  Offset log_start, high_watermark;
};

// Reads from reader.position() up to and including the control batch of `producer` (same id and epoch). `on_batch` (may
// be empty) gets every batch before it, control batches too; the first may begin below the position. Afterwards the
// position is behind the marker. A position outside the log is moved to the log start. kTimedOut: no marker came.
Task<Result<MarkerFound>> find_marker(ClusterClient& cluster, PartitionReader& reader, ProducerIdentity producer,
                                      OnBatch on_batch, Deadline deadline);

}  // namespace farshore::kafka
