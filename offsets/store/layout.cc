#include "offsets/store/layout.h"

#include "base/bytes.h"

namespace farshore::offsets::layout {
namespace {

template <class T>
void add(std::string& to, T value) {
  std::byte bytes[sizeof(T)];
  store_be(bytes, value);
  to += as_text(ConstBytes(bytes));
}

// Epochs from -1 on, in an order of unsigned bytes.
void add_epoch(std::string& to, int32_t epoch) { add<uint32_t>(to, static_cast<uint32_t>(epoch) + 1); }

void add_key(std::string& to, const LinkPartition& key) {
  for (const Uuid* id : {&key.link.value(), &key.source_topic.value()})
    to.append(reinterpret_cast<const char*>(id->bytes.data()), id->bytes.size());
  add<uint32_t>(to, static_cast<uint32_t>(key.partition.value()));
}

constexpr size_t kKeyBytes = 1 + 16 + 16 + 4;

// Reads numbers off the end of a row's key, or off its value.
class Numbers {
 public:
  explicit Numbers(std::string_view from) : from_(from) {}
  template <class T>
  T next() {
    if (from_.size() < sizeof(T)) {
      good_ = false;
      return 0;
    }
    T value = load_be<T>(reinterpret_cast<const std::byte*>(from_.data()));
    from_.remove_prefix(sizeof(T));
    return value;
  }
  int32_t next_epoch() { return static_cast<int32_t>(next<uint32_t>() - 1); }
  bool done() const { return good_ && from_.empty(); }

 private:
  std::string_view from_;
  bool good_ = true;
};

Error damaged(const char* row) {
  return Error(ErrorCode::kCorrupt, std::string("offset translation: a damaged ") + row +
                                        "; it is only an image of __farshore_offsets: delete it");
}

std::string_view after_key(std::string_view key) { return key.size() < kKeyBytes ? "" : key.substr(kKeyBytes); }

}  // namespace

std::string prefix(char table, const LinkPartition& key) {
  std::string out(1, table);
  add_key(out, key);
  return out;
}

std::string prefix_end(char table, const LinkPartition& key) {
  std::string out = prefix(table, key);
  for (size_t i = out.size(); i-- > 0;) {
    const auto raised = static_cast<unsigned char>(static_cast<unsigned char>(out[i]) + 1);
    out[i] = static_cast<char>(raised);
    if (raised != 0) break;
  }
  return out;
}

std::string run_key(const LinkPartition& key, LogEpoch epoch, SourceOffset source) {
  return place_key(kRunRows, key, epoch, source);
}

std::string place_key(char table, const LinkPartition& key, LogEpoch epoch, SourceOffset source) {
  std::string out = prefix(table, key);
  add_epoch(out, epoch.value());
  add<int64_t>(out, source.value());
  return out;
}

std::string run_value(const TranslationRun& run) {
  std::string out;
  add<int64_t>(out, run.target.value());
  add<int64_t>(out, run.length);
  add_epoch(out, run.target_epoch.value());
  return out;
}

Result<TranslationRun> read_run(std::string_view key, std::string_view value) {
  TranslationRun run;
  Numbers name(after_key(key)), rest(value);
  run.source_epoch = LogEpoch(name.next_epoch());
  run.source = SourceOffset(name.next<int64_t>());
  run.target = TargetOffset(rest.next<int64_t>());
  run.length = rest.next<int64_t>();
  run.target_epoch = LeadershipEpoch(rest.next_epoch());
  if (!name.done() || !rest.done() || run.length <= 0) return damaged("run");
  return run;
}

std::string target_key(const LinkPartition& key, TargetOffset target) {
  std::string out = prefix(kTargetRows, key);
  add<int64_t>(out, target.value());
  return out;
}

std::string target_value(const TranslationRun& run) {
  std::string out;
  add_epoch(out, run.source_epoch.value());
  add<int64_t>(out, run.source.value());
  add<int64_t>(out, run.length);
  add_epoch(out, run.target_epoch.value());
  return out;
}

Result<TranslationRun> read_target(std::string_view key, std::string_view value) {
  TranslationRun run;
  Numbers name(after_key(key)), rest(value);
  run.target = TargetOffset(name.next<int64_t>());
  run.source_epoch = LogEpoch(rest.next_epoch());
  run.source = SourceOffset(rest.next<int64_t>());
  run.length = rest.next<int64_t>();
  run.target_epoch = LeadershipEpoch(rest.next_epoch());
  if (!name.done() || !rest.done() || run.length <= 0) return damaged("run");
  return run;
}

std::string block_target_key(const LinkPartition& key, TargetOffset target) {
  std::string out = prefix(kBlockTargetRows, key);
  add<int64_t>(out, target.value());
  return out;
}

std::string block_target_value(const TranslationRun& first) {
  std::string out;
  add_epoch(out, first.source_epoch.value());
  add<int64_t>(out, first.source.value());
  return out;
}

Result<std::pair<LogEpoch, SourceOffset>> read_block_target(std::string_view value) {
  Numbers numbers(value);
  const LogEpoch epoch(numbers.next_epoch());
  const SourceOffset source(numbers.next<int64_t>());
  if (!numbers.done()) return damaged("place of a block");
  return std::pair(epoch, source);
}

std::string anchor_key(const LinkPartition& key, const RelayAnchor& anchor) {
  std::string out = prefix(kAnchorRows, key);
  add<int64_t>(out, anchor.producer.id);
  add<int16_t>(out, anchor.producer.epoch);
  add<int32_t>(out, anchor.sequence);
  return out;
}

std::string anchor_value(const RelayAnchor& anchor) {
  std::string out;
  add<int64_t>(out, anchor.source.value());
  add_epoch(out, anchor.source_epoch.value());
  add<int64_t>(out, anchor.target_from.value());
  if (anchor.settles) add<uint8_t>(out, 1);
  return out;
}

Result<RelayAnchor> read_anchor(std::string_view key, std::string_view value) {
  RelayAnchor anchor;
  Numbers name(after_key(key)), rest(value);
  anchor.producer.id = name.next<int64_t>();
  anchor.producer.epoch = name.next<int16_t>();
  anchor.sequence = name.next<int32_t>();
  anchor.source = SourceOffset(rest.next<int64_t>());
  anchor.source_epoch = LogEpoch(rest.next_epoch());
  anchor.target_from = TargetOffset(rest.next<int64_t>());
  if (!rest.done()) anchor.settles = rest.next<uint8_t>() == 1;
  if (!name.done() || !rest.done()) return damaged("anchor");
  return anchor;
}

std::string unlogged_value(TargetOffset logged_end) {
  std::string out;
  add<int64_t>(out, logged_end.value());
  return out;
}

Result<TargetOffset> read_unlogged(std::string_view value) {
  Numbers numbers(value);
  const TargetOffset logged_end(numbers.next<int64_t>());
  if (!numbers.done()) return damaged("mark");
  return logged_end;
}

std::string applied_key(int32_t log_partition) {
  std::string out(1, kAppliedRows);
  add<uint32_t>(out, static_cast<uint32_t>(log_partition));
  return out;
}

std::string applied_value(const AppliedTo& to) {
  std::string out;
  add<int64_t>(out, to.next_offset);
  add_epoch(out, to.leader_epoch);
  return out;
}

Result<std::pair<int32_t, AppliedTo>> read_applied(std::string_view key, std::string_view value) {
  Numbers name(key.substr(1)), rest(value);
  std::pair<int32_t, AppliedTo> out;
  out.first = name.next<int32_t>();
  out.second.next_offset = rest.next<int64_t>();
  out.second.leader_epoch = rest.next_epoch();
  if (!name.done() || !rest.done()) return damaged("reading position");
  return out;
}

}  // namespace farshore::offsets::layout
