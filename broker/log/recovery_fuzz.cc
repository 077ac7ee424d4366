// Fuzz target: a log that is used, closed, killed and damaged. Opening it either recovers the log or reports the damage
// (kCorrupt). A log that was opened can be read from its start to its end, written to, and opened again.
// Input: a byte for the settings, then operations: one byte each, followed by their operands.
#include <algorithm>

#include "broker/log/internal/log_format.h"
#include "broker/log/log.h"
#include "broker/log/testing/log_host.h"

using namespace farshore;
using namespace farshore::log_test;

namespace {

constexpr int kStepsMax = 64;

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ == size_; }
  uint8_t byte() { return at_ < size_ ? data_[at_++] : 0; }
  uint16_t number() {
    const uint8_t high = byte();
    return static_cast<uint16_t>(high << 8 | byte());
  }

 private:
  const uint8_t* data_;
  size_t size_, at_ = 0;
};

class Life {
 public:
  Life(Input& input, SlabArena& arena) : input_(input), arena_(arena) {
    host_.disk().set_sector_bytes(16);
    options_.segment_bytes = 600 + 100 * (input_.byte() & 7);
    options_.index_interval_bytes = 150;
    options_.retention_ms = -1;
  }

  void play() {
    for (int i = 0; i < kStepsMax && !input_.empty(); ++i) {
      if (!log_ && !open()) continue;
      step();
    }
    if (!log_ && !open()) return;
    if (use()) {
      stop(true);
      if (open()) (void)use();
    }
    stop(false);
  }

 private:
  template <class T>
  T run(Task<T> task) {
    return host_.run(std::move(task));
  }

  bool open() {
    host_.start();
    auto opened = run(open_log(host_.env(), host_.env().files(), arena_, kDir, options_));
    if (opened) {
      log_ = std::move(opened).value();
      return true;
    }
    ensure(opened.error() == ErrorCode::kCorrupt, "opening fails only for damage");
    // An operator accepts the loss, as FORMAT.md says: nothing counts as durable any more.
    for (auto name : {log_format::kQuarantine, log_format::kCheckpoint, log_format::kIntent})
      host_.disk().erase(join_path(kDir, name));
    return false;
  }

  void stop(bool clean) {
    if (log_ && clean) (void)run(log_->close());
    host_.kill();
    log_.reset();
  }

  // Reads everything and appends; false when the log says that it is damaged.
  bool use() {
    const LogEnds ends = log_->ends();
    ensure(ends.log_start <= ends.end && ends.high_watermark <= ends.end, "the ends are in order");
    for (Offset from = ends.log_start; from < ends.end;) {
      auto batches = run(log_->read_run(from, ReadBound::kLogEnd, 500));
      if (!batches) return false;
      if (batches->empty()) break;
      ensure(batches->next() > from, "every read moves on");
      from = batches->next();
    }
    (void)run(log_->offset_for_time(host_.wall_ms()));
    (void)run(log_->offset_of_max_time());
    (void)run(log_->aborted_in(ends.log_start, ends.end));
    (void)log_->epoch_end(LogEpoch(1));
    (void)log_->producers();
    BatchBuilder batch = batch_of(2, host_.wall_ms());
    auto appended = run(log_->append(batch.build_run(arena_), AppendOrigin::kClient, next_epoch()));
    if (!appended) return false;
    ensure(appended->outcome == AppendOutcome::kAppended && appended->first == ends.end, "an append goes to the end");
    return run(log_->flush()).has_value();
  }

  int64_t next_ms() {
    host_.pass_wall_ms(1);
    return host_.wall_ms();
  }
  LogEpoch next_epoch() const { return std::max(log_->last_epoch(), LogEpoch(0)); }

  void step() {
    const uint8_t what = input_.byte();
    switch (what % 16) {
      case 0:
      case 1:
      case 2: {
        BatchBuilder batch = batch_of(1 + (what >> 6), next_ms());
        (void)run(log_->append(batch.build_run(arena_), AppendOrigin::kClient, next_epoch()));
        break;
      }
      case 3: {
        BatchBuilder batch = batch_of(1, next_ms());
        batch.producer(what >> 6, 0, sequence_++).transactional();
        (void)run(log_->append(batch.build_run(arena_), AppendOrigin::kClient, next_epoch()));
        break;
      }
      case 4: {
        BatchBuilder marker;
        marker.producer(what >> 6, 0, -1)
            .add_marker((what & 0x20) != 0 ? ControlType::kAbort : ControlType::kCommit, 0, next_ms());
        (void)run(log_->append(marker.build_run(arena_), AppendOrigin::kCoordinator, next_epoch()));
        break;
      }
      case 5: {  // a mirror: gaps and epochs of its own
        BatchBuilder batch = batch_of(2, next_ms());
        batch.base_offset(log_->ends().end.value() + (what >> 5)).leader_epoch(next_epoch().value());
        (void)run(log_->append(batch.build_run(arena_), AppendOrigin::kMirror, next_epoch()));
        break;
      }
      case 6:
        (void)run(log_->flush());
        break;
      case 7:
        (void)run(log_->begin_epoch(LogEpoch(log_->last_epoch().value() + 1)));
        break;
      case 8:
        (void)run(log_->truncate_to(Offset(input_.byte()), true));
        break;
      case 9:
        log_->set_high_watermark(log_->ends().end);
        (void)run(log_->advance_log_start(Offset(input_.byte())));
        break;
      case 10:
        (void)run(log_->reset_to(Offset(input_.number())));
        break;
      case 11:
        stop(true);
        break;
      case 12: {
        stop(false);
        constexpr PowerLoss kWays[] = {PowerLoss::kSeeded, PowerLoss::kKeepAll, PowerLoss::kDropAll, PowerLoss::kTorn,
                                       PowerLoss::kGarbage};
        host_.power_off(kWays[input_.byte() % std::size(kWays)]);
        break;
      }
      case 13:
        stop((what & 0x80) != 0);
        damage();
        break;
      case 14:
        stop(false);
        break;
      default:
        options_.cleanup_policy = CleanupPolicy::kCompact;
        options_.min_cleanable_ratio = 0;
        log_->set_options(options_);
        log_->set_high_watermark(log_->ends().end);
        (void)run(log_->clean());
        options_.cleanup_policy = CleanupPolicy::kDelete;
        log_->set_options(options_);
    }
  }

  // Changes one file, while the log is closed.
  void damage() {
    const auto files = host_.disk().files_under(kDir);
    if (files.empty()) return;
    const std::string& path = files[input_.byte() % files.size()];
    std::string content = *host_.disk().contents(path);
    const uint8_t how = input_.byte();
    const size_t at = content.empty() ? 0 : input_.number() % content.size();
    switch (how % 6) {
      case 0:
        if (!content.empty()) content[at] = static_cast<char>(content[at] ^ static_cast<char>(input_.byte()));
        break;
      case 1:
        content.resize(at);
        break;
      case 2:
        return host_.disk().erase(path);
      case 3:
        content.insert(at, 1 + input_.byte(), static_cast<char>(input_.byte()));
        break;
      case 4:
        for (size_t i = at; i < content.size() && i < at + 8; ++i) content[i] = static_cast<char>(input_.byte());
        break;
      default: {  // a copy under another base offset
        const auto suffix = std::min(path.rfind('.'), path.size());
        const auto name = log_format::file_name(Offset(input_.number()), path.substr(suffix));
        return host_.disk().put_contents(join_path(kDir, name), content);
      }
    }
    host_.disk().put_contents(path, content);
  }

  Input& input_;
  SlabArena& arena_;
  LogHost host_;
  LogOptions options_;
  std::unique_ptr<Log> log_;
  int32_t sequence_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static SlabArena arena;
  Input input(data, size);
  Life(input, arena).play();
  return 0;
}
