#include "broker/log/internal/checkpoint_file.h"

#include "base/crc32c.h"
#include "broker/log/internal/log_format.h"

namespace farshore {
namespace {

using namespace log_format;

// magic, version, reserved, sequence, eight numbers, epochs_crc, crc of all before. Version 1 has seven numbers: it
// lacks compacted_to.
constexpr size_t kSequenceAt = 8;
constexpr size_t kNumbersAt = 16;
constexpr size_t kNumbers = 8, kNumbersBefore = 7;
constexpr size_t epochs_crc_at(size_t numbers) { return kNumbersAt + numbers * 8; }
constexpr size_t slot_crc_at(size_t numbers) { return epochs_crc_at(numbers) + 4; }
constexpr size_t kSlotUsed = slot_crc_at(kNumbers) + 4;
static_assert(kSlotUsed <= kCheckpointSlotBytes);

using Slot = std::array<std::byte, kSlotUsed>;

Slot encode(const PartitionCheckpoint& c, uint64_t sequence) {
  Slot slot{};
  store_be(slot.data(), kCheckpointMagic);
  store_be(slot.data() + 4, kCheckpointVersion);
  store_be(slot.data() + kSequenceAt, sequence);
  const int64_t numbers[] = {c.recovery_point.value(), c.log_start.value(),   c.high_watermark.value(),
                             c.clean_segment.value(),  c.clean_size,          c.clean_end.value(),
                             c.cleaned_to.value(),     c.compacted_to.value()};
  static_assert(std::size(numbers) == kNumbers);
  for (size_t i = 0; i < std::size(numbers); ++i) store_be(slot.data() + kNumbersAt + 8 * i, numbers[i]);
  store_be(slot.data() + epochs_crc_at(kNumbers), c.epochs_crc);
  store_be(slot.data() + slot_crc_at(kNumbers), crc32c(ConstBytes(slot).first(slot_crc_at(kNumbers))));
  return slot;
}

bool decode(ConstBytes slot, PartitionCheckpoint& c, uint64_t& sequence) {
  if (slot.size() < kNumbersAt || load_be<uint32_t>(slot.data()) != kCheckpointMagic) return false;
  const auto version = load_be<int16_t>(slot.data() + 4);
  if (version != kCheckpointVersion && version != kCheckpointVersionBefore) return false;
  const size_t numbers = version == kCheckpointVersion ? kNumbers : kNumbersBefore;
  const size_t crc_at = slot_crc_at(numbers);
  if (slot.size() < crc_at + 4 || load_be<uint32_t>(slot.data() + crc_at) != crc32c(slot.first(crc_at))) return false;
  sequence = load_be<uint64_t>(slot.data() + kSequenceAt);
  auto number = [&](size_t i) { return load_be<int64_t>(slot.data() + kNumbersAt + 8 * i); };
  c.recovery_point = Offset(number(0));
  c.log_start = Offset(number(1));
  c.high_watermark = Offset(number(2));
  c.clean_segment = Offset(number(3));
  c.clean_size = number(4);
  c.clean_end = Offset(number(5));
  c.cleaned_to = Offset(number(6));
  c.compacted_to = numbers == kNumbers ? Offset(number(7)) : c.cleaned_to;
  c.epochs_crc = load_be<uint32_t>(slot.data() + epochs_crc_at(numbers));
  return true;
}

}  // namespace

Task<Result<PartitionCheckpoint>> CheckpointFile::load() {
  CO_TRY(file_, co_await files_.open(path_, OpenMode()));
  PartitionCheckpoint best;
  bool found = false;
  for (size_t i = 0; i < kCheckpointSlots; ++i) {
    Slot slot{};
    CO_TRY(size_t n, co_await file_->read_at(i * kCheckpointSlotBytes, slot));
    PartitionCheckpoint c;
    uint64_t sequence = 0;
    if (!decode(ConstBytes(slot).first(n), c, sequence) || (found && sequence <= sequence_)) continue;
    best = c;
    sequence_ = sequence;
    synced_slot_ = i;
    found = true;
  }
  loaded_unsynced_ = found;
  if (found) stored_ = best;
  if (!found) co_return Error(ErrorCode::kCorrupt, path_ + ": neither slot is valid");
  co_return best;
}

Task<Status> CheckpointFile::save(PartitionCheckpoint checkpoint, Durability durability) {
  auto guard = co_await mutex_.lock();
  co_return co_await write(checkpoint, durability);
}

Task<Status> CheckpointFile::save(std::function<PartitionCheckpoint()> make, Durability durability,
                                  std::function<void()> stored) {
  auto guard = co_await mutex_.lock();
  CO_CHECK(co_await write(make(), durability));
  if (stored) stored();
  co_return ok();
}

Task<Status> CheckpointFile::write(PartitionCheckpoint checkpoint, Durability durability) {
  stored_.reset();
  if (!file_) {
    OpenMode mode;
    mode.create = true;
    CO_TRY(file_, co_await files_.open(path_, mode));
  }
  if (loaded_unsynced_) CO_CHECK(co_await file_->sync());
  loaded_unsynced_ = false;
  const size_t slot = (synced_slot_ + 1) % kCheckpointSlots;
  Slot bytes = encode(checkpoint, ++sequence_);
  ConstBytes piece(bytes);
  CO_CHECK(co_await file_->write_at(slot * kCheckpointSlotBytes, ConstBytesList(&piece, 1)));
  if (durability == Durability::kDurable) {
    CO_CHECK(co_await file_->sync());
    synced_slot_ = slot;
  }
  stored_ = checkpoint;
  co_return ok();
}

}  // namespace farshore
