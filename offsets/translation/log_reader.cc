#include "offsets/translation/log_reader.h"

#include <algorithm>

#include "proto/batch/records.h"

namespace farshore {

TranslationLogReader::TranslationLogReader(Env& env, kafka::ClusterClient& target, SlabArena& arena, int32_t partition,
                                           Offset from)
    : reader_(env, target, arena, TopicPartition{kTranslationTopic, partition}, from) {}

void TranslationLogReader::aim_at(Offset end) {
  end_ = end;
  empty_answers_ = 0;
}

Task<Result<kafka::PartitionRead>> TranslationLogReader::next(Deadline deadline) {
  CO_TRY(auto read, co_await reader_.next(deadline));
  empty_answers_ = read.run.empty() ? empty_answers_ + 1 : 0;
  co_return read;
}

Task<Status> TranslationLogReader::apply(const kafka::PartitionRead& read, TranslationLogSink& sink) {
  size_t begin = 0;
  for (const BatchHeader& header : read.run.batches) {
    const size_t at = begin;
    begin += header.size_bytes();
    if (header.control()) {
      int16_t& epoch = markers_.try_emplace(header.producer_id, int16_t{-1}).first->second;
      epoch = std::max(epoch, header.producer_epoch);
      continue;
    }
    CO_CHECK(co_await apply_batch(header, read.run.bytes, at, sink));
  }
  co_return ok();
}

Task<Status> TranslationLogReader::apply_batch(const BatchHeader& header, const SliceList& bytes, size_t begin,
                                               TranslationLogSink& sink) {
  CO_TRY(auto records, RecordReader::open(header, bytes, begin));
  for (Record record;;) {
    CO_TRY(bool more, records.next(record));
    if (!more) co_return ok();
    if (!record.key) continue;
    auto decoded = decode_translation(*record.key, record.value);
    if (!decoded) {
      const TopicPartition& log = reader_.partition();
      co_return std::move(decoded).error().in(log.topic + "-" + std::to_string(log.partition) + " offset " +
                                              std::to_string(record.offset.value()));
    }
    const LinkPartition& key = std::visit([](const auto& each) -> const LinkPartition& { return each.key; }, *decoded);
    if (!sink.wants(key, {header.producer_id, header.producer_epoch})) continue;
    CO_CHECK(co_await sink.take(std::move(*decoded)));
  }
}

Task<Status> TranslationLogReader::read_to(Offset end, TranslationLogSink& sink, Deadline deadline) {
  aim_at(end);
  while (!reached()) {
    CO_TRY(auto read, co_await next(deadline));
    CO_CHECK(co_await apply(read, sink));
  }
  co_return ok();
}

std::optional<int16_t> TranslationLogReader::marker_epoch(int64_t producer_id) const {
  auto it = markers_.find(producer_id);
  if (it == markers_.end()) return std::nullopt;
  return it->second;
}

}  // namespace farshore
