// TranslationLogReader: reads one partition of __farshore_offsets from the target cluster, in log order, and hands
// every run and anchor to the image that is kept of it. The gateway's image of the log (linker/relay/log_image.h) and
// libfarshore's (offsets/client/target) are both filled by it.
//
//   target broker --Fetch--> next() --PartitionRead--> apply() --runs, anchors--> TranslationLogSink
//
// Executor: the Env's. One call at a time. Memory: one answer of the target (kafka::PartitionReaderOptions::bytes_max).
#pragma once

#include <map>
#include <optional>

#include "offsets/translation/records.h"
#include "proto/kafka/client/partition_reader.h"

namespace farshore {

// The owner of an image of the log.
class TranslationLogSink {
 public:
  virtual ~TranslationLogSink() = default;
  // `writer`: the producer of the record's batch. Other records are decoded and left out.
  virtual bool wants(const LinkPartition& /*key*/, kafka::ProducerIdentity /*writer*/) { return true; }
  virtual Task<Status> take(TranslationRecord record) = 0;
};

class TranslationLogReader {
 public:
  // References outlive the reader. It connects to nothing yet. `partition`: of the log.
  TranslationLogReader(Env& env, kafka::ClusterClient& target, SlabArena& arena, int32_t partition, Offset from);

  Offset position() const { return reader_.position(); }
  void seek(Offset to) { reader_.seek(to); }

  // The log is to be read up to `end`.
  void aim_at(Offset end);
  // The end that was aimed at is read. Also true when several answers in a row brought nothing: compaction has removed
  // the last records below the end.
  bool reached() const { return reader_.position() >= end_ || empty_answers_ >= kEmptyAnswersMax; }

  // The next batches. Empty: nothing came for a while. Errors: those of kafka::PartitionReader.
  Task<Result<kafka::PartitionRead>> next(Deadline deadline);
  // Hands the records of `read` to `sink`, and remembers transaction markers. A record without a key belongs to
  // no relayed partition and is left out. Errors: kCorrupt, kUnsupported (see decode_translation; the text names
  // partition and offset), or the sink's. After an error a part of the records may have been handed over; applying them
  // again changes nothing.
  Task<Status> apply(const kafka::PartitionRead& read, TranslationLogSink& sink);
  // Both, up to `end`.
  Task<Status> read_to(Offset end, TranslationLogSink& sink, Deadline deadline);

  // The highest producer epoch in the transaction markers of this producer id that apply() has met; none: it met none.
  // Several relayed partitions share a partition of the log, so the reader meets markers that others wait for.
  std::optional<int16_t> marker_epoch(int64_t producer_id) const;

 private:
  static constexpr int kEmptyAnswersMax = 3;
  Task<Status> apply_batch(const BatchHeader& header, const SliceList& bytes, size_t begin, TranslationLogSink& sink);

  kafka::PartitionReader reader_;
  Offset end_;
  int empty_answers_ = 0;               // in a row
  std::map<int64_t, int16_t> markers_;  // producer id -> producer epoch
};

}  // namespace farshore
