#include "proto/kafka/fetch_stream.h"

#include <algorithm>

#include "proto/kafka/internal/arriving_bytes.h"
#include "proto/kafka/internal/records_splitter.h"

namespace farshore::kafka {

namespace {

constexpr size_t kTopicBytesMin = 3;
constexpr size_t kAbortedBytes = 16;

// Reads a section of tagged fields: `read(tag number)` reads a field and returns true, or returns false to skip it.
template <class Read>
void tagged_fields(Reader& reader, Read read) {
  int64_t previous = -1;
  for (uint32_t n = reader.tag_count(); n > 0 && reader.ok(); --n) {
    Reader::Tag tag = reader.begin_tag(previous);
    previous = tag.number;
    if (!read(tag.number)) reader.skip_tag();
    reader.end_tag(tag);
  }
}

}  // namespace

FetchDecoder::FetchDecoder(int16_t version, size_t body_bytes, SlabWriter& slabs, Budget* budget, FetchVisitor& visitor,
                           FetchDecodeLimits limits)
    : version_(version),
      flexible_(FetchResponse::flexible(version)),
      visitor_(visitor),
      bytes_(std::make_unique<ArrivingBytes>(body_bytes, slabs, limits.element_bytes_max)),
      records_(std::make_unique<RecordsSplitter>(*bytes_, budget, visitor, limits.batch_bytes_max)) {
  ensure(version >= FetchResponse::kMinVersion && version <= FetchResponse::kMaxVersion, "a Fetch version of ours");
}

FetchDecoder::~FetchDecoder() = default;

size_t FetchDecoder::bytes_left() const { return bytes_->left(); }

FetchDecoder::Want FetchDecoder::want() {
  if (bytes_->left() == 0) return {{}, 0};
  MutableBytes room = bytes_->room();
  const size_t needed = stage_ == Stage::kRecords ? records_->bytes_wanted() : bytes_->element_bytes_wanted();
  return {room, std::min(needed, room.size())};
}

Status FetchDecoder::filled(size_t size) {
  bytes_->received(size);
  for (;;) {
    auto next = step();
    if (!next) return std::move(next).error().in("Fetch response");
    if (*next == DecodeStep::kNeedMore) break;
  }
  if (stage_ == Stage::kDone && bytes_->rest() > 0) {
    return Error(farshore::ErrorCode::kCorrupt,
                 "Fetch response: " + std::to_string(bytes_->rest()) + " bytes too many");
  }
  return ok();
}

Status FetchDecoder::check_count(int64_t count, size_t bytes_min, const char* what) const {
  if (count < 0) return Error(farshore::ErrorCode::kCorrupt, std::string("null array of ") + what);
  if (static_cast<uint64_t>(count) > bytes_->rest() / bytes_min) {
    return Error(farshore::ErrorCode::kCorrupt, std::to_string(count) + " " + what + " in too few bytes");
  }
  return ok();
}

Result<DecodeStep> FetchDecoder::step() {
  switch (stage_) {
    case Stage::kHead:
      return read_head();
    case Stage::kTopic:
      return read_topic();
    case Stage::kPartition:
      return read_partition();
    case Stage::kRecords:
      return read_records();
    case Stage::kPartitionEnd:
      return read_partition_end();
    case Stage::kTopicEnd:
      return read_topic_end();
    case Stage::kResponseEnd:
      return read_response_end();
    case Stage::kDone:
      return DecodeStep::kNeedMore;
  }
  return DecodeStep::kNeedMore;
}

Result<DecodeStep> FetchDecoder::read_head() {
  FetchResponse head;
  int64_t topics = 0;
  FARSHORE_TRY(DecodeStep next, bytes_->element([&](Reader& reader) -> Status {
    if (flexible_) reader.skip_tagged_fields();  // of the response header
    head.throttle_time_ms = reader.i32();
    if (version_ >= 7) {
      head.error_code = reader.i16();
      head.session_id = reader.i32();
    }
    topics = reader.array_count(flexible_);
    return ok();
  }));
  if (next == DecodeStep::kNeedMore) return next;
  FARSHORE_CHECK(check_count(topics, kTopicBytesMin, "topics"));
  topics_left_ = topics;
  visitor_.on_response(head);
  stage_ = topics_left_ > 0 ? Stage::kTopic : Stage::kResponseEnd;
  return DecodeStep::kGoOn;
}

Result<DecodeStep> FetchDecoder::read_topic() {
  int64_t partitions = 0;
  FARSHORE_TRY(DecodeStep next, bytes_->element([&](Reader& reader) -> Status {
    if (version_ <= 12) topic_.name = reader.string(flexible_);
    if (version_ >= 13) topic_.id = reader.uuid();
    partitions = reader.array_count(flexible_);
    return ok();
  }));
  if (next == DecodeStep::kNeedMore) return next;
  FARSHORE_CHECK(check_count(partitions, FetchResponse::PartitionData::kWireBytesMin, "partitions"));
  partitions_left_ = partitions;
  stage_ = partitions_left_ > 0 ? Stage::kPartition : Stage::kTopicEnd;
  return DecodeStep::kGoOn;
}

Result<DecodeStep> FetchDecoder::read_partition() {
  int64_t records = -1;
  FARSHORE_TRY(DecodeStep next, bytes_->element([&](Reader& reader) -> Status {
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
  if (next == DecodeStep::kNeedMore) return next;
  if (records > 0 && static_cast<uint64_t>(records) > bytes_->rest()) {
    return Error(farshore::ErrorCode::kCorrupt, std::to_string(records) + " bytes of records in too few bytes");
  }
  const size_t records_bytes = records > 0 ? static_cast<size_t>(records) : 0;
  records_->begin(records_bytes);
  visitor_.on_partition(topic_, partition_, records_bytes);
  stage_ = Stage::kRecords;
  return DecodeStep::kGoOn;
}

Result<DecodeStep> FetchDecoder::read_records() {
  const DecodeStep next = records_->step();
  if (next == DecodeStep::kGoOn) stage_ = Stage::kPartitionEnd;
  return next;
}

Result<DecodeStep> FetchDecoder::read_partition_end() {
  if (flexible_) {
    FARSHORE_TRY(DecodeStep next, bytes_->element([&](Reader& reader) -> Status {
      tagged_fields(reader, [&](uint32_t tag) {
        if (tag == 0) partition_.diverging_epoch.read(reader, version_);
        if (tag == 1) partition_.current_leader.read(reader, version_);
        if (tag == 2) partition_.snapshot_id.read(reader, version_);
        return tag <= 2;
      });
      return ok();
    }));
    if (next == DecodeStep::kNeedMore) return next;
  }
  visitor_.on_partition_end(topic_, partition_, records_->cut_bytes());
  --partitions_left_;
  stage_ = partitions_left_ > 0 ? Stage::kPartition : Stage::kTopicEnd;
  return DecodeStep::kGoOn;
}

Result<DecodeStep> FetchDecoder::read_topic_end() {
  if (flexible_) {
    FARSHORE_TRY(DecodeStep next, bytes_->element([](Reader& reader) -> Status {
      reader.skip_tagged_fields();
      return ok();
    }));
    if (next == DecodeStep::kNeedMore) return next;
  }
  --topics_left_;
  stage_ = topics_left_ > 0 ? Stage::kTopic : Stage::kResponseEnd;
  return DecodeStep::kGoOn;
}

Result<DecodeStep> FetchDecoder::read_response_end() {
  if (flexible_) {
    FARSHORE_TRY(DecodeStep next, bytes_->element([&](Reader& reader) -> Status {
      endpoints_.clear();
      tagged_fields(reader, [&](uint32_t tag) {
        if (tag != 0 || version_ < 16) return false;
        using Node = FetchResponse::NodeEndpoint;
        int32_t count = reader.required_array(true, Node::kWireBytesMin, sizeof(Node));
        for (; count > 0 && reader.ok(); --count) endpoints_.emplace_back().read(reader, version_);
        return true;
      });
      return ok();
    }));
    if (next == DecodeStep::kNeedMore) return next;
  }
  stage_ = Stage::kDone;
  visitor_.on_response_end(endpoints_);
  return DecodeStep::kNeedMore;
}

}  // namespace farshore::kafka
