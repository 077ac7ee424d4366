// The takeover of Kafka partitions by a transactional id (design §6, correctness C1). A Kafka broker refuses a producer
// only once the partition itself has seen a newer epoch of it, and only a transaction marker carries an epoch to a
// partition without data. So: InitProducerId (epoch + 1), AddPartitionsToTxn, EndTxn(abort), and the abort marker that
// follows is the fence. What does not stand before our own marker can never appear any more; data is then produced
// without a transaction under that (id, epoch), from sequence 0.
// Tried on Apache Kafka 4.1.1; EndTxn 4 at most (5 raises the epoch once more). It costs one offset per partition.
// What the partition's broker remembers of the old epoch (DescribeProducers) is cleared by the marker: ask before.
// Executor: the Env's.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "proto/kafka/client/partition_reader.h"

namespace farshore::replicator {

// Resolves when the coordinator has taken the abort on: markers are on their way to every partition, and are waited for
// with find_marker(). The transactional id's former owner is fenced in `partitions` when its marker is there.
// Calls are repeated until the deadline while the coordinator moves, loads, or ends an earlier transaction
// (CONCURRENT_TRANSACTIONS). kFenced: lost against other takeovers, again and again; kPermissionDenied; kNotFound: a
// partition is not there; kTimedOut: markers may or may not come; fence again.
Task<Result<RelayProducer>> fence(kafka::ClusterClient& cluster, std::string transactional_id,
                                  std::vector<TopicPartition> partitions, Deadline deadline);

// Only its first step, InitProducerId, which fences nothing by itself. kFenced: this attempt lost against another one.
Task<Result<RelayProducer>> raise_epoch(kafka::ClusterClient& cluster, std::string transactional_id, Deadline deadline);

// The other steps, of the one who raised the epoch: as fence() says, but kFenced at once when somebody raised it after.
Task<Status> send_markers(kafka::ClusterClient& cluster, std::string transactional_id, RelayProducer producer,
                          std::vector<TopicPartition> partitions, Deadline deadline);

// A batch of a partition, and where it begins in `bytes`. An error ends the reading and is returned.
using OnBatch = std::function<Status(const BatchHeader& header, const SliceList& bytes, size_t batch_begin)>;

struct MarkerFound {
  Offset marker;        // of the control batch
  Offset scanned_from;  // `from`, or the log's start where that was above it: nothing below was seen
  Offset log_start, high_watermark;
};

// Reads on from reader.position() up to and including the control batch of `producer` (its id and epoch), and shows
// every batch before it, control batches too; the first may begin below the position. The position is behind the marker
// when it resolves. A position that is outside the log begins at its start. kTimedOut: no marker before the deadline.
Task<Result<MarkerFound>> find_marker(kafka::ClusterClient& cluster, kafka::PartitionReader& reader,
                                      RelayProducer producer, OnBatch on_batch, Deadline deadline);

}  // namespace farshore::replicator
