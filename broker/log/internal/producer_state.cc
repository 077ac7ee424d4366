#include "broker/log/internal/producer_state.h"

#include <algorithm>
#include <limits>

#include "base/crc32c.h"
#include "broker/log/internal/index_codec.h"
#include "broker/log/internal/log_format.h"

namespace farshore {
namespace {

using namespace log_format;

constexpr int32_t kSequenceMask = std::numeric_limits<int32_t>::max();

bool in_sequence(int32_t last, int32_t next) {
  return next == static_cast<int32_t>((int64_t{last} + 1) & kSequenceMask);  // after -1 comes 0, and 0 after 2^31 - 1
}

std::string producer_name(const BatchHeader& header) {
  return "producer " + std::to_string(header.producer_id) + " epoch " + std::to_string(header.producer_epoch);
}

}  // namespace

int32_t ProducerState::Batch::first_sequence() const {
  return static_cast<int32_t>((int64_t{last_sequence} - offset_delta) & kSequenceMask);
}

ProducerState::Verdict ProducerState::check_one(const BatchHeader& header, const Producer* known) {
  Verdict verdict;
  if (!known) return verdict;  // expired or new: any sequence is taken (Kafka; KIP-360)
  if (header.producer_epoch < known->epoch) {
    verdict.outcome = AppendOutcome::kInvalidProducerEpoch;
    verdict.refusal = producer_name(header) + " is older than epoch " + std::to_string(known->epoch);
    return verdict;
  }
  if (header.producer_epoch == known->epoch) {
    for (const auto& batch : known->batches) {
      if (batch.first_sequence() == header.base_sequence && batch.last_sequence == header.last_sequence()) {
        verdict.outcome = AppendOutcome::kDuplicate;
        verdict.first = batch.first();
        verdict.last = batch.last;
        verdict.timestamp_ms = batch.timestamp_ms;
        return verdict;
      }
    }
    // In the log, a snapshot may keep an epoch without a batch (after a marker): then the first sequence is 0.
    if (!in_sequence(known->last_sequence(), header.base_sequence)) {
      verdict.outcome = AppendOutcome::kOutOfOrderSequence;
      verdict.refusal = producer_name(header) + ": sequence " + std::to_string(header.base_sequence) + " follows " +
                        std::to_string(known->last_sequence());
      return verdict;
    }
  } else if (header.base_sequence != 0 && known->epoch != -1) {
    verdict.outcome = AppendOutcome::kOutOfOrderSequence;
    verdict.refusal = producer_name(header) + " begins with sequence " + std::to_string(header.base_sequence);
    return verdict;
  }
  if (known->txn_first && !header.transactional()) {
    verdict.outcome = AppendOutcome::kInvalidTxnState;
    verdict.refusal = producer_name(header) + " has a transaction open: only transactional batches are expected";
  }
  return verdict;
}

ProducerState::Verdict ProducerState::check_client(const BatchRun& run) const {
  Verdict total;
  std::map<int64_t, Producer> ahead;  // producers as they will be after the batches before
  size_t duplicates = 0;
  for (const auto& header : run.batches) {
    if (!header.has_producer()) continue;
    auto known = producers_.find(header.producer_id);
    auto changed = ahead.find(header.producer_id);
    const Producer* producer = changed != ahead.end()      ? &changed->second
                               : known != producers_.end() ? &known->second
                                                           : nullptr;
    Verdict verdict = check_one(header, producer);
    if (verdict.outcome == AppendOutcome::kDuplicate) {
      if (duplicates++ == 0) total = verdict;
      total.last = verdict.last;
      continue;
    }
    if (verdict.outcome != AppendOutcome::kAppended) return verdict;
    if (run.batches.size() > 1) {
      Producer next = producer ? *producer : Producer();
      remember(header, next);
      ahead[header.producer_id] = std::move(next);
    }
  }
  if (duplicates > 0 && duplicates < run.batches.size()) {
    total.outcome = AppendOutcome::kOutOfOrderSequence;
    total.refusal = "a run of new batches and retries";
  }
  return total;
}

ProducerState::Verdict ProducerState::check_marker(const BatchHeader& header, const ControlMarker& marker) const {
  Verdict verdict;
  auto known = producers_.find(header.producer_id);
  if (known == producers_.end()) return verdict;
  if (header.producer_epoch < known->second.epoch) {
    verdict.outcome = AppendOutcome::kInvalidProducerEpoch;
    verdict.refusal = producer_name(header) + " is older than epoch " + std::to_string(known->second.epoch);
  } else if (marker.coordinator_epoch < known->second.coordinator_epoch) {
    verdict.outcome = AppendOutcome::kCoordinatorFenced;
    verdict.refusal = "coordinator epoch " + std::to_string(marker.coordinator_epoch) + " is older than " +
                      std::to_string(known->second.coordinator_epoch);
  }
  return verdict;
}

void ProducerState::remember(const BatchHeader& header, Producer& producer) {
  if (producer.epoch != header.producer_epoch) {
    producer.batches.clear();
    producer.epoch = header.producer_epoch;
  }
  if (producer.batches.size() == kRemembered) producer.batches.erase(producer.batches.begin());
  producer.batches.push_back({header.last_sequence(), header.last(), header.last_offset_delta, header.max_timestamp});
  producer.last_timestamp_ms = header.max_timestamp;
  if (header.transactional() && !producer.txn_first) producer.txn_first = header.first();
}

void ProducerState::apply(const BatchHeader& header) {
  if (!header.has_producer()) return;
  Producer& producer = producers_[header.producer_id];
  bool was_open = producer.txn_first.has_value();
  remember(header, producer);
  if (producer.txn_first && !was_open) open_.emplace(*producer.txn_first, header.producer_id);
  note_use(header.producer_id, producer, header.last());
}

void ProducerState::note_use(int64_t id, Producer& producer, Offset last) {
  idle_.erase({producer.used, id});
  producer.used = last;
  if (!producer.txn_first) idle_.emplace(last, id);
  while (producers_.size() > producers_max_ + open_.size() && !idle_.empty()) {
    producers_.erase(idle_.begin()->second);
    idle_.erase(idle_.begin());
  }
}

std::optional<ProducerState::CompletedTxn> ProducerState::apply_marker(const BatchHeader& header,
                                                                       const ControlMarker& marker) {
  if (!header.has_producer()) return std::nullopt;
  Producer& producer = producers_[header.producer_id];
  if (producer.txn_first && marker.type == ControlType::kCommit)
    producer.last_commit = {producer.epoch, header.last(), header.max_timestamp};
  if (producer.epoch != header.producer_epoch) {
    producer.batches.clear();
    producer.epoch = header.producer_epoch;
  }
  producer.coordinator_epoch = std::max(producer.coordinator_epoch, marker.coordinator_epoch);
  producer.last_timestamp_ms = header.max_timestamp;
  if (!producer.txn_first) {
    note_use(header.producer_id, producer, header.last());
    return std::nullopt;
  }
  CompletedTxn done;
  done.producer_id = header.producer_id;
  done.first = *producer.txn_first;
  done.last = header.last();
  done.aborted = marker.type == ControlType::kAbort;
  open_.erase({done.first, done.producer_id});
  producer.txn_first.reset();
  note_use(done.producer_id, producer, done.last);
  done.last_stable = open_.empty() ? done.last + 1 : open_.begin()->first;
  unreplicated_[done.first] = done.last;
  return done;
}

std::optional<Offset> ProducerState::first_unstable() const {
  std::optional<Offset> first;
  if (!open_.empty()) first = open_.begin()->first;
  if (!unreplicated_.empty() && (!first || unreplicated_.begin()->first < *first)) first = unreplicated_.begin()->first;
  return first;
}

void ProducerState::on_high_watermark(Offset high_watermark) {
  std::erase_if(unreplicated_, [&](const auto& txn) { return txn.second < high_watermark; });
}

bool ProducerState::has_open_transaction(int64_t producer_id) const {
  auto found = producers_.find(producer_id);
  return found != producers_.end() && found->second.txn_first.has_value();
}

void ProducerState::expire(int64_t now_ms, int64_t expiration_ms) {
  std::erase_if(producers_, [&](const auto& entry) {
    const Producer& producer = entry.second;
    const bool expired = !producer.txn_first && now_ms - producer.last_timestamp_ms >= expiration_ms;
    if (expired) idle_.erase({producer.used, entry.first});
    return expired;
  });
}

void ProducerState::clear() {
  producers_.clear();
  idle_.clear();
  open_.clear();
  unreplicated_.clear();
}

std::vector<ProducerSummary> ProducerState::summaries() const {
  std::vector<ProducerSummary> all;
  all.reserve(producers_.size());
  for (const auto& [id, producer] : producers_)
    all.push_back({id, producer.epoch, producer.last_sequence(), producer.last_timestamp_ms, producer.txn_first,
                   producer.coordinator_epoch, producer.last_commit, !producer.from_snapshot});
  return all;
}

std::unordered_set<Offset> ProducerState::last_offsets() const {
  std::unordered_set<Offset> all;
  all.reserve(producers_.size());
  for (const auto& [id, producer] : producers_) {
    if (!producer.batches.empty()) all.insert(producer.batches.back().last);
    if (producer.used >= Offset(0)) all.insert(producer.used);
  }
  return all;
}

std::string ProducerState::encode() const {
  std::string bytes(kSnapshotHeaderBytes + producers_.size() * kSnapshotEntryBytes, '\0');
  auto* const begin = reinterpret_cast<std::byte*>(bytes.data());
  std::byte* at = begin + kSnapshotHeaderBytes;
  for (const auto& [id, producer] : producers_) {
    Batch last;
    last.last = Offset(-1);
    if (!producer.batches.empty()) last = producer.batches.back();
    store_be(at, id);
    store_be(at + 8, producer.epoch);
    store_be(at + 10, last.last_sequence);
    store_be(at + 14, last.last.value());
    store_be(at + 22, last.offset_delta);
    store_be(at + 26, producer.last_timestamp_ms);
    store_be(at + 34, producer.coordinator_epoch);
    store_be(at + 38, producer.txn_first ? producer.txn_first->value() : int64_t{-1});
    at += kSnapshotEntryBytes;
  }
  store_be(begin, kSnapshotVersion);
  store_be(begin + kSnapshotCrcFrom, static_cast<int32_t>(producers_.size()));
  store_be(begin + kSnapshotCrcAt, crc32c(as_bytes(bytes).subspan(kSnapshotCrcFrom)));
  return bytes;
}

namespace {

Error bad_snapshot(std::string_view what) { return {ErrorCode::kCorrupt, "producer snapshot: " + std::string(what)}; }

// How many entries `bytes` has.
Result<size_t> check_snapshot(ConstBytes bytes) {
  if (bytes.size() < kSnapshotHeaderBytes) return bad_snapshot("cut off");
  if (load_be<int16_t>(bytes.data()) != kSnapshotVersion) return bad_snapshot("unknown version");
  if (load_be<uint32_t>(bytes.data() + kSnapshotCrcAt) != crc32c(bytes.subspan(kSnapshotCrcFrom)))
    return bad_snapshot("wrong CRC");
  const auto count = load_be<int32_t>(bytes.data() + kSnapshotCrcFrom);
  if (count < 0 || bytes.size() != kSnapshotHeaderBytes + static_cast<size_t>(count) * kSnapshotEntryBytes)
    return bad_snapshot("its size is not that of its entries");
  return static_cast<size_t>(count);
}

// The lowest last offset that is still among the `kept` highest of the entries.
int64_t lowest_last_offset(const std::byte* entries, size_t count, size_t kept) {
  if (count <= kept || kept == 0) return INT64_MIN;
  std::vector<int64_t> offsets(count);
  for (size_t i = 0; i < count; ++i) offsets[i] = load_be<int64_t>(entries + i * kSnapshotEntryBytes + 14);
  auto lowest = offsets.begin() + static_cast<std::ptrdiff_t>(count - kept);
  std::nth_element(offsets.begin(), lowest, offsets.end());
  return *lowest;
}

}  // namespace

Result<ProducerState> ProducerState::decode(std::string_view text, size_t producers_max) {
  ConstBytes bytes = as_bytes(text);
  FARSHORE_TRY(const size_t count, check_snapshot(bytes));
  ProducerState state(producers_max);
  const std::byte* at = bytes.data() + kSnapshotHeaderBytes;
  const int64_t lowest = lowest_last_offset(at, count, producers_max);
  for (size_t i = 0; i < count; ++i, at += kSnapshotEntryBytes) {
    Batch batch;
    batch.last = Offset(load_be<int64_t>(at + 14));
    const auto txn_first = load_be<int64_t>(at + 38);
    if (batch.last.value() < lowest && txn_first < 0) continue;
    const auto id = load_be<int64_t>(at);
    Producer& producer = state.producers_[id];
    producer.epoch = load_be<int16_t>(at + 8);
    batch.last_sequence = load_be<int32_t>(at + 10);
    batch.offset_delta = load_be<int32_t>(at + 22);
    producer.last_timestamp_ms = batch.timestamp_ms = load_be<int64_t>(at + 26);
    producer.coordinator_epoch = load_be<int32_t>(at + 34);
    producer.from_snapshot = true;
    if (batch.last.value() >= 0) producer.batches.push_back(batch);
    if (txn_first >= 0) {
      producer.txn_first = Offset(txn_first);
      state.open_.emplace(Offset(txn_first), id);
    }
    state.note_use(id, producer, batch.last);
  }
  return state;
}

}  // namespace farshore
