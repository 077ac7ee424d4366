#include "base/sim/kv.h"

#include "base/file.h"
#include "base/sim/disk.h"
#include "base/sim/inode.h"
#include "base/sim/world.h"

namespace farshore::sim {
namespace {

using Map = std::map<std::string, std::string>;
using Items = std::vector<std::pair<std::string, std::string>>;

void apply_batch(Map& map, const KvBatch& batch) {
  for (const auto& op : batch.ops()) {
    if (const auto* put = std::get_if<KvPut>(&op)) {
      map[put->key] = put->value;
    } else if (const auto* erase = std::get_if<KvDelete>(&op)) {
      map.erase(erase->key);
    } else {
      const auto& range = std::get<KvDeleteRange>(op);
      if (range.begin < range.end) map.erase(map.lower_bound(range.begin), map.lower_bound(range.end));
    }
  }
}

uint64_t digest_of(const KvBatch& batch) {
  uint64_t h = 0;
  for (const auto& op : batch.ops()) {
    h = h * 31 + op.index();
    if (const auto* put = std::get_if<KvPut>(&op))
      h = digest(put->value, digest(put->key, h));
    else if (const auto* erase = std::get_if<KvDelete>(&op))
      h = digest(erase->key, h);
    else
      h = digest(std::get<KvDeleteRange>(op).end, digest(std::get<KvDeleteRange>(op).begin, h));
  }
  return h;
}

}  // namespace

class SimKv final : public KvStore {
 public:
  SimKv(SimEnv& env, std::shared_ptr<KvDisk> disk) : env_(env), disk_(std::move(disk)) {}
  ~SimKv() override {
    if (disk_->owner == &env_) disk_->owner = nullptr;
  }

  Task<Result<std::optional<std::string>>> get(std::string key) override {
    CO_CHECK(co_await begin(disk_->fail_reads, microseconds(2), microseconds(60)));
    std::optional<std::string> value;
    if (auto it = disk_->live.find(key); it != disk_->live.end()) value = it->second;
    co_return value;
  }

  Task<Result<Items>> scan(std::string begin_key, std::string end, size_t items_max) override {
    CO_CHECK(co_await begin(disk_->fail_reads, microseconds(5), microseconds(200)));
    Items items;
    for (auto it = disk_->live.lower_bound(begin_key); it != disk_->live.end() && items.size() < items_max; ++it) {
      if (!end.empty() && it->first >= end) break;
      items.emplace_back(*it);
    }
    co_return items;
  }

  Task<Result<Items>> scan_reverse(std::string begin_key, std::string end, size_t items_max) override {
    CO_CHECK(co_await begin(disk_->fail_reads, microseconds(5), microseconds(200)));
    Items items;
    auto it = end.empty() ? disk_->live.end() : disk_->live.lower_bound(end);
    while (it != disk_->live.begin() && items.size() < items_max) {
      --it;
      if (it->first < begin_key) break;
      items.emplace_back(*it);
    }
    co_return items;
  }

  Task<Status> write(KvBatch batch, Sync sync) override {
    const bool synced = sync == Sync::kYes;
    auto ready = co_await begin(disk_->fail_writes, microseconds(synced ? 100 : 3), microseconds(synced ? 4'000 : 80));
    if (!ready) {
      if (ready.error() != ErrorCode::kIo || env_.dead()) co_return ready;
      if (!broken_ && env_.world().fault_random().chance(0.5)) add(std::move(batch), false);
      broken_ = true;
      co_return ready;
    }
    add(std::move(batch), synced);
    // Applied and synced here; a process that dies before it resumes never learns it.
    if (env_.world().options().yields && env_.world().fault_random().chance(0.2)) co_await env_.yield();
    co_return ok();
  }

 private:
  Task<Status> begin(std::optional<ErrorCode>& fault, Duration min, Duration max) {
    if (env_.dead()) co_return Error(ErrorCode::kClosed);
    auto keep = disk_;
    SimWorld& world = env_.world();
    co_await env_.delay(disk_->slow + nanoseconds(world.fault_random().between(min.count(), max.count())));
    if (env_.dead()) co_return Error(ErrorCode::kClosed);
    if (broken_) co_return Error(ErrorCode::kIo, "the store failed before (simulated)");
    if (fault && disk_->failures > 0) {
      Error failed(*fault, "simulated store failure");
      if (--disk_->failures == 0) fault.reset();
      co_return failed;
    }
    co_return ok();
  }

  void add(KvBatch batch, bool synced) {
    env_.world().trace().mix(digest_of(batch));
    apply_batch(disk_->live, batch);
    disk_->unsynced.push_back(std::move(batch));
    if (!synced) return;
    for (const auto& b : disk_->unsynced) apply_batch(disk_->synced, b);
    disk_->unsynced.clear();
  }

  SimEnv& env_;
  std::shared_ptr<KvDisk> disk_;
  bool broken_ = false;
};

class SimKvOpener final : public KvOpener {
 public:
  explicit SimKvOpener(SimEnv& env) : env_(env) {}

  Task<Result<std::unique_ptr<KvStore>>> open(std::string directory) override {
    CO_CHECK(co_await env_.files().make_dirs(directory));
    OpenMode mode;
    mode.create = true;
    const std::string current = join_path(directory, "CURRENT");
    CO_TRY(auto file, co_await env_.files().open(current, mode));
    SimDisk& disk = *env_.host().disk;
    auto place = disk.find(current);
    if (!place.inode) co_return Error(ErrorCode::kIo, directory + " vanished while it was opened");
    if (!place.inode->kv) {
      place.inode->kv = std::make_shared<KvDisk>();
      CO_CHECK(co_await env_.files().sync_dir(directory));  // as RocksDB does; the parent is the caller's
    }
    auto kv = place.inode->kv;
    if (kv->owner && !kv->owner->dead())
      co_return Error(ErrorCode::kAlreadyExists, directory + " is open in " + kv->owner->name());
    kv->owner = &env_;
    std::unique_ptr<KvStore> store = std::make_unique<SimKv>(env_, std::move(kv));
    co_return store;
  }

 private:
  SimEnv& env_;
};

KvDisk* find_kv(SimDisk& disk, std::string_view directory) { return disk.kv_at(directory); }

std::unique_ptr<KvOpener> make_sim_kv_opener(SimEnv& env) { return std::make_unique<SimKvOpener>(env); }

void lose_kv_power(KvDisk& kv, PowerLoss how, Random& random) {
  size_t kept = random.below(kv.unsynced.size() + 1);
  if (how == PowerLoss::kKeepAll) kept = kv.unsynced.size();
  if (how == PowerLoss::kDropAll) kept = 0;
  for (size_t i = 0; i < kept; ++i) apply_batch(kv.synced, kv.unsynced[i]);
  kv.unsynced.clear();
  kv.live = kv.synced;
  kv.owner = nullptr;
}

}  // namespace farshore::sim
