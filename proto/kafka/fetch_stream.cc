#include "proto/kafka/fetch_stream.h"

#include <algorithm>

namespace farshore::kafka {

namespace {

constexpr size_t kEachByteBelow = 4096;  // elements up to this size are tried again after every read
constexpr size_t kTopicBytesMin = 3;
constexpr size_t kAbortedBytes = 16;

}  // namespace

FetchDecoder::FetchDecoder(int16_t version, size_t body_bytes, SlabWriter& slabs, Budget* budget, FetchVisitor& visitor,
                           FetchDecodeLimits limits)
    : version_(version),
      flexible_(FetchResponse::flexible(version)),
      limits_(limits),
      slabs_(slabs),
      budget_(budget),
      visitor_(visitor),
      left_(body_bytes) {
  ensure(version >= FetchResponse::kMinVersion && version <= FetchResponse::kMaxVersion, "a Fetch version of ours");
}

FetchDecoder::Want FetchDecoder::want() {
  if (left_ == 0) return {{}, 0};
  MutableBytes room = slabs_.room();
  room = room.first(std::min(room.size(), left_));
  size_t needed = 1;
  if (stage_ == Stage::kRecords) {
    size_t next = header_ ? run_bytes_ + header_->size_bytes() : run_bytes_ + kBatchHeaderBytes;
    next = std::min(skipping_ ? records_left_ : next, records_left_);
    if (next > pending_.size()) needed = next - pending_.size();
  } else if (parse_at_ > pending_.size()) {
    needed = parse_at_ - pending_.size();
  }
  return {room, std::min(needed, room.size())};
}

Status FetchDecoder::filled(size_t size) {
  ensure(size <= left_, "no more bytes than wanted");
  pending_.append(slabs_.take(size));
  left_ -= size;
  for (;;) {
    auto next = step();
    if (!next) return std::move(next).error().in("Fetch response");
    if (*next == Step::kNeedMore) break;
  }
  if (stage_ == Stage::kDone && body_rest() > 0) {
    return Error(farshore::ErrorCode::kCorrupt, "Fetch response: " + std::to_string(body_rest()) + " bytes too many");
  }
  return ok();
}

Status FetchDecoder::check_count(int64_t count, size_t bytes_min, const char* what) const {
  if (count < 0) return Error(farshore::ErrorCode::kCorrupt, std::string("null array of ") + what);
  if (static_cast<uint64_t>(count) > body_rest() / bytes_min) {
    return Error(farshore::ErrorCode::kCorrupt, std::to_string(count) + " " + what + " in too few bytes");
  }
  return ok();
}

void FetchDecoder::drop_front(size_t size) { pending_ = pending_.sub(size, pending_.size() - size); }

template <class Parse>
Result<FetchDecoder::Step> FetchDecoder::element(Parse parse) {
  if (pending_.size() < parse_at_ && left_ > 0) return Step::kNeedMore;
  ConstBytes bytes;
  const size_t limit = std::min(pending_.size(), limits_.element_bytes_max);
  if (!pending_.empty() && pending_.slices().front().size() >= limit) {
    bytes = pending_.slices().front().bytes().first(limit);
  } else if (!pending_.empty()) {
    // First only the slice at the front, which nearly always has the whole element.
    bytes = pending_.slices().front().bytes();
    Reader first(bytes, limits_.element_bytes_max * kDecodedBytesFactor);
    FARSHORE_CHECK(parse(first));
    if (first.ok()) {
      parse_at_ = 0;
      drop_front(first.position());
      return Step::kGoOn;
    }
    straddling_.resize(limit);
    pending_.copy_out(0, straddling_);
    bytes = straddling_;
  }
  Reader reader(bytes, limits_.element_bytes_max * kDecodedBytesFactor);
  FARSHORE_CHECK(parse(reader));
  if (reader.ok()) {
    parse_at_ = 0;
    drop_front(reader.position());
    return Step::kGoOn;
  }
  if (!reader.ended_early() || left_ == 0) return reader.status().error();
  if (limit >= limits_.element_bytes_max) {
    return Error(farshore::ErrorCode::kResourceExhausted,
                 "more than " + std::to_string(limits_.element_bytes_max) + " bytes between two records fields");
  }
  // Trying again after every byte would be quadratic.
  parse_at_ = limit < kEachByteBelow ? limit + 1 : std::min(limit + limit / 2, limit + left_);
  return Step::kNeedMore;
}

Result<FetchDecoder::Step> FetchDecoder::step() {
  switch (stage_) {
    case Stage::kHead: {
      FetchResponse head;
      int64_t topics = 0;
      FARSHORE_TRY(Step next, element([&](Reader& reader) -> Status {
                     if (flexible_) reader.skip_tagged_fields();  // of the response header
                     head.throttle_time_ms = reader.i32();
                     if (version_ >= 7) {
                       head.error_code = reader.i16();
                       head.session_id = reader.i32();
                     }
                     topics = reader.array_count(flexible_);
                     return ok();
                   }));
      if (next == Step::kNeedMore) return next;
      FARSHORE_CHECK(check_count(topics, kTopicBytesMin, "topics"));
      topics_left_ = topics;
      visitor_.on_response(head);
      stage_ = topics_left_ > 0 ? Stage::kTopic : Stage::kResponseEnd;
      return Step::kGoOn;
    }
    case Stage::kTopic: {
      int64_t partitions = 0;
      FARSHORE_TRY(Step next, element([&](Reader& reader) -> Status {
                     if (version_ <= 12) topic_.name = reader.string(flexible_);
                     if (version_ >= 13) topic_.id = reader.uuid();
                     partitions = reader.array_count(flexible_);
                     return ok();
                   }));
      if (next == Step::kNeedMore) return next;
      FARSHORE_CHECK(check_count(partitions, FetchResponse::PartitionData::kWireBytesMin, "partitions"));
      partitions_left_ = partitions;
      stage_ = Stage::kPartition;
      if (partitions_left_ == 0) after_topic();
      return Step::kGoOn;
    }
    case Stage::kPartition: {
      if (partitions_left_ == 0) {  // the tagged fields at the end of the topic
        FARSHORE_TRY(Step next, element([](Reader& reader) -> Status {
                       reader.skip_tagged_fields();
                       return ok();
                     }));
        if (next == Step::kNeedMore) return next;
        --topics_left_;
        stage_ = topics_left_ > 0 ? Stage::kTopic : Stage::kResponseEnd;
        return Step::kGoOn;
      }
      int64_t records = -1;
      FARSHORE_TRY(Step next, element([&](Reader& reader) -> Status {
                     partition_ = {};
                     partition_.partition_index = reader.i32();
                     partition_.error_code = reader.i16();
                     partition_.high_watermark = reader.i64();
                     partition_.last_stable_offset = reader.i64();
                     if (version_ >= 5) partition_.log_start_offset = reader.i64();
                     int64_t aborted = reader.array_count(flexible_);
                     if (aborted < 0) {
                       partition_.aborted_transactions.reset();
                     } else {
                       FARSHORE_CHECK(check_count(aborted, kAbortedBytes, "aborted transactions"));
                       auto& list = partition_.aborted_transactions.emplace();
                       for (; aborted > 0 && reader.ok(); --aborted) list.emplace_back().read(reader, version_);
                     }
                     if (version_ >= 11) partition_.preferred_read_replica = reader.i32();
                     records = reader.array_count(flexible_);  // a length in bytes, in the same form
                     return ok();
                   }));
      if (next == Step::kNeedMore) return next;
      if (records > 0 && static_cast<uint64_t>(records) > body_rest()) {
        return Error(farshore::ErrorCode::kCorrupt, std::to_string(records) + " bytes of records in too few bytes");
      }
      records_left_ = records > 0 ? static_cast<size_t>(records) : 0;
      cut_bytes_ = 0;
      skipping_ = false;
      visitor_.on_partition(topic_, partition_, records_left_);
      stage_ = Stage::kRecords;
      return Step::kGoOn;
    }
    case Stage::kRecords:
      return records_step();
    case Stage::kPartitionEnd: {
      if (flexible_) {
        FARSHORE_TRY(Step next, element([&](Reader& reader) -> Status {
                       int64_t previous = -1;
                       for (uint32_t n = reader.tag_count(); n > 0 && reader.ok(); --n) {
                         Reader::Tag tag = reader.begin_tag(previous);
                         previous = tag.number;
                         if (tag.number == 0) {
                           partition_.diverging_epoch.read(reader, version_);
                         } else if (tag.number == 1) {
                           partition_.current_leader.read(reader, version_);
                         } else if (tag.number == 2) {
                           partition_.snapshot_id.read(reader, version_);
                         } else {
                           reader.skip_tag();
                         }
                         reader.end_tag(tag);
                       }
                       return ok();
                     }));
        if (next == Step::kNeedMore) return next;
      }
      visitor_.on_partition_end(topic_, partition_, cut_bytes_);
      after_partition();
      return Step::kGoOn;
    }
    case Stage::kResponseEnd: {
      if (flexible_) {
        FARSHORE_TRY(Step next, element([&](Reader& reader) -> Status {
                       endpoints_.clear();
                       int64_t previous = -1;
                       for (uint32_t n = reader.tag_count(); n > 0 && reader.ok(); --n) {
                         Reader::Tag tag = reader.begin_tag(previous);
                         previous = tag.number;
                         if (tag.number == 0 && version_ >= 16) {
                           using Node = FetchResponse::NodeEndpoint;
                           int32_t count = reader.required_array(true, Node::kWireBytesMin, sizeof(Node));
                           for (; count > 0 && reader.ok(); --count) endpoints_.emplace_back().read(reader, version_);
                         } else {
                           reader.skip_tag();
                         }
                         reader.end_tag(tag);
                       }
                       return ok();
                     }));
        if (next == Step::kNeedMore) return next;
      }
      stage_ = Stage::kDone;
      visitor_.on_response_end(endpoints_);
      return Step::kNeedMore;
    }
    case Stage::kDone:
      return Step::kNeedMore;
  }
  return Step::kNeedMore;
}

void FetchDecoder::after_partition() {
  --partitions_left_;
  stage_ = Stage::kPartition;
  if (partitions_left_ == 0) after_topic();
}

void FetchDecoder::after_topic() {
  if (flexible_) return;  // kPartition with none left reads the topic's tagged fields
  --topics_left_;
  stage_ = topics_left_ > 0 ? Stage::kTopic : Stage::kResponseEnd;
}

void FetchDecoder::flush_run() {
  if (run_bytes_ == 0) return;
  run_.bytes = pending_.sub(0, run_bytes_);
  if (budget_) run_.budget = budget_->take(run_bytes_);
  drop_front(run_bytes_);
  records_left_ -= run_bytes_;
  run_bytes_ = 0;
  visitor_.on_batches(std::exchange(run_, BatchRun()));
}

Result<FetchDecoder::Step> FetchDecoder::records_step() {
  while (!skipping_ && run_bytes_ < records_left_) {
    const size_t rest = records_left_ - run_bytes_;
    const size_t here = std::min(pending_.size() - run_bytes_, rest);
    if (!header_) {
      if (rest < kBatchHeaderBytes) break;  // what the broker cut off
      if (here < kBatchHeaderBytes) {
        flush_run();
        return Step::kNeedMore;
      }
      std::byte bytes[kBatchHeaderBytes];
      pending_.copy_out(run_bytes_, bytes);
      auto header = BatchHeader::parse(bytes);
      if (header && header->size_bytes() > limits_.batch_bytes_max) {
        header =
            Error(farshore::ErrorCode::kResourceExhausted,
                  "batch of " + std::to_string(header->size_bytes()) + " bytes at offset " +
                      std::to_string(header->base_offset) + "; at most " + std::to_string(limits_.batch_bytes_max));
      }
      if (!header) {
        flush_run();
        skipping_ = true;
        visitor_.on_bad_records(std::move(header).error());
        break;
      }
      if (header->size_bytes() > rest) break;
      header_ = *header;
      visitor_.on_batch_header(*header_);
    }
    if (here < header_->size_bytes()) {
      flush_run();
      return Step::kNeedMore;
    }
    run_.batches.push_back(*header_);
    run_bytes_ += header_->size_bytes();
    header_.reset();
  }
  flush_run();
  if (!skipping_ && records_left_ > 0) {
    cut_bytes_ = records_left_;
    skipping_ = true;
  }
  const size_t skipped = std::min(records_left_, pending_.size());
  if (skipped > 0) drop_front(skipped);
  records_left_ -= skipped;
  if (records_left_ > 0) return Step::kNeedMore;
  stage_ = Stage::kPartitionEnd;
  return Step::kGoOn;
}

}  // namespace farshore::kafka
