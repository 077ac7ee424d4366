#include "offsets/store/run_block.h"

#include <limits>

namespace farshore::offsets {
namespace {

constexpr uint8_t kBlockVersion = 1;
constexpr uint8_t kSourceEpochChanges = 1, kTargetEpochChanges = 2;
constexpr size_t kRunBytesMin = 4;

void add_number(std::string& to, int64_t value) {  // zigzag, seven bits a byte
  uint64_t left = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; left >= 0x80; left >>= 7) to.push_back(static_cast<char>(left | 0x80));
  to.push_back(static_cast<char>(left));
}

class BlockNumbers {
 public:
  explicit BlockNumbers(std::string_view from) : from_(from) {}
  uint8_t byte() {
    if (from_.empty()) return fail();
    const auto value = static_cast<uint8_t>(from_.front());
    from_.remove_prefix(1);
    return value;
  }
  int64_t number() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && good_; shift += 7) {
      const uint8_t next = byte();
      value |= static_cast<uint64_t>(next & 0x7f) << shift;
      if (next < 0x80) return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
    }
    return fail();
  }
  // Sums that would leave the range of offsets are damage.
  int64_t above(int64_t base) {
    const int64_t distance = number();
    int64_t sum = 0;
    if (__builtin_add_overflow(base, distance, &sum) || sum < 0) return fail();
    return sum;
  }
  size_t left() const { return from_.size(); }
  bool good() const { return good_; }

 private:
  uint8_t fail() {
    good_ = false;
    from_ = {};
    return 0;
  }
  std::string_view from_;
  bool good_ = true;
};

Error damaged_block() {
  return Error(ErrorCode::kCorrupt,
               "offset translation: a damaged block of runs; it is only an image of __farshore_offsets: delete it");
}

}  // namespace

std::string encode_run_block(std::span<const TranslationRun> runs) {
  ensure(!runs.empty(), "a block holds runs");
  std::string out(1, static_cast<char>(kBlockVersion));
  add_number(out, static_cast<int64_t>(runs.size()));
  TranslationRun before;
  before.source_epoch = LogEpoch(-1);
  before.target_epoch = LeadershipEpoch(-1);
  for (const TranslationRun& run : runs) {
    uint8_t flags = 0;
    if (run.source_epoch != before.source_epoch) flags |= kSourceEpochChanges;
    if (run.target_epoch != before.target_epoch) flags |= kTargetEpochChanges;
    out.push_back(static_cast<char>(flags));
    if (flags & kSourceEpochChanges) add_number(out, run.source_epoch.value());
    if (flags & kTargetEpochChanges) add_number(out, run.target_epoch.value());
    add_number(out, run.source - before.source_end());
    add_number(out, run.target - before.target_end());
    add_number(out, run.length);
    before = run;
  }
  return out;
}

Result<std::vector<TranslationRun>> decode_run_block(std::string_view value) {
  BlockNumbers numbers(value);
  if (numbers.byte() != kBlockVersion) return damaged_block();
  const int64_t count = numbers.number();
  if (count <= 0 || static_cast<uint64_t>(count) > numbers.left() / kRunBytesMin) return damaged_block();
  std::vector<TranslationRun> runs;
  runs.reserve(static_cast<size_t>(count));
  TranslationRun run;
  run.source_epoch = LogEpoch(-1);
  run.target_epoch = LeadershipEpoch(-1);
  for (int64_t i = 0; i < count && numbers.good(); ++i) {
    const uint8_t flags = numbers.byte();
    if (flags & kSourceEpochChanges) run.source_epoch = LogEpoch(static_cast<int32_t>(numbers.number()));
    if (flags & kTargetEpochChanges) run.target_epoch = LeadershipEpoch(static_cast<int32_t>(numbers.number()));
    const int64_t source = numbers.above(run.source_end().value());
    const int64_t target = numbers.above(run.target_end().value());
    run.source = SourceOffset(source);
    run.target = TargetOffset(target);
    run.length = numbers.number();
    if (run.length <= 0 || run.length > std::numeric_limits<int64_t>::max() - std::max(source, target))
      return damaged_block();
    runs.push_back(run);
  }
  if (!numbers.good() || numbers.left() > 0) return damaged_block();
  return runs;
}

RunBlockReader::RunBlockReader(std::string_view value) : at_(value.data() + 1) {  // behind the version
  run_.source_epoch = LogEpoch(-1);
  run_.target_epoch = LeadershipEpoch(-1);
  left_ = static_cast<size_t>(number());
}

int64_t RunBlockReader::number() {
  auto next = static_cast<uint8_t>(*at_++);
  uint64_t value = next & 0x7f;
  for (int shift = 7; next >= 0x80; shift += 7) {
    next = static_cast<uint8_t>(*at_++);
    value |= static_cast<uint64_t>(next & 0x7f) << shift;
  }
  return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

const TranslationRun& RunBlockReader::next() {
  --left_;
  const auto flags = static_cast<uint8_t>(*at_++);
  if (flags & kSourceEpochChanges) run_.source_epoch = LogEpoch(static_cast<int32_t>(number()));
  if (flags & kTargetEpochChanges) run_.target_epoch = LeadershipEpoch(static_cast<int32_t>(number()));
  run_.source = run_.source_end() + number();
  run_.target = run_.target_end() + number();
  run_.length = number();
  return run_;
}

}  // namespace farshore::offsets
