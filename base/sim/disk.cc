#include "base/sim/disk.h"

#include <algorithm>
#include <cstring>

#include "base/sim/inode.h"
#include "base/sim/kv.h"
#include "base/sim/world.h"

namespace farshore::sim {

SimDisk::SimDisk(SimWorld& world, SimHost& host, uint64_t seed) : world_(world), host_(host), random_(seed) {
  root_ = make(true);
  if (random_.chance(0.2)) sync_max_ = milliseconds(40);  // some hosts have slow disks
}

SimDisk::~SimDisk() = default;

std::shared_ptr<Inode> SimDisk::make(bool directory) {
  auto inode = std::make_shared<Inode>();
  inode->id = ++last_inode_;
  inode->directory = directory;
  inode->used = used_;
  return inode;
}

SimDisk::Place SimDisk::find(std::string_view path) const {
  Place place;
  std::shared_ptr<Inode> at = root_;
  place.inode = root_;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part.empty() || part == ".") continue;
    ensure(part != "..", "simulated paths have no '..'");
    if (!at || !at->directory) {
      place.through_file = at != nullptr;
      place.dir = nullptr;
      place.inode = nullptr;
      place.name = part;
      at = nullptr;
      continue;
    }
    place.dir = at;
    place.name = part;
    auto entry = at->entries.find(part);
    place.inode = at = entry == at->entries.end() ? nullptr : entry->second;
  }
  return place;
}

// --- names

void SimDisk::change(NameOp op) {
  for (auto& c : op) {
    if (c.inode)
      c.dir->entries[c.name] = c.inode;
    else
      c.dir->entries.erase(c.name);
    world_.trace().mix(digest(c.name, c.dir->id));
  }
  unsynced_names_.push_back(std::move(op));
}

void SimDisk::make_durable(const NameOp& op) {
  for (const auto& c : op) {
    if (c.inode)
      c.dir->durable_entries[c.name] = c.inode;
    else
      c.dir->durable_entries.erase(c.name);
  }
}

void SimDisk::sync_all_names() {
  for (const auto& op : unsynced_names_) make_durable(op);
  unsynced_names_.clear();
}

// Makes the changes of this directory durable, and whatever came before them in a directory that they share.
void SimDisk::sync_names(const std::shared_ptr<Inode>& dir) {
  std::set<const Inode*> dirs{dir.get()};
  std::vector<bool> chosen(unsynced_names_.size());
  for (size_t i = unsynced_names_.size(); i-- > 0;) {
    auto& op = unsynced_names_[i];
    if (std::none_of(op.begin(), op.end(), [&](auto& c) { return dirs.count(c.dir.get()) != 0; })) continue;
    chosen[i] = true;
    for (auto& c : op) dirs.insert(c.dir.get());
  }
  std::vector<NameOp> rest;
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (!chosen[i]) {
      rest.push_back(std::move(unsynced_names_[i]));
      continue;
    }
    make_durable(unsynced_names_[i]);
  }
  unsynced_names_ = std::move(rest);
}

// --- contents

void SimDisk::resize(Inode& inode, uint64_t size) {
  if (size < inode.live.size()) {
    // What is being synced was on its way when the cut came: it arrives first, after the cuts before it.
    bool arrives = false;
    for (const auto& [id, ranges] : inode.syncing) arrives |= !ranges.empty();
    if (arrives && inode.least_size < inode.durable.size()) inode.durable.resize(inode.least_size);
    for (auto& [id, ranges] : inode.syncing) {
      for (auto [begin, end] : ranges) {
        if (inode.durable.size() < end) inode.durable.resize(end);
        std::copy(inode.live.begin() + static_cast<std::ptrdiff_t>(begin),
                  inode.live.begin() + static_cast<std::ptrdiff_t>(end),
                  inode.durable.begin() + static_cast<std::ptrdiff_t>(begin));
      }
      ranges.clear();
    }
    if (arrives) inode.least_size = inode.durable.size();
    inode.dirty.cut(size);
    inode.least_size = std::min(inode.least_size, size);
  }
  *used_ += size;
  *used_ -= inode.live.size();
  inode.live.resize(size);
}

void SimDisk::start_sync(const std::shared_ptr<Inode>& inode, uint64_t id) {
  inode->syncing[id] = std::exchange(inode->dirty, {});
}

void SimDisk::finish_sync(const std::shared_ptr<Inode>& inode, uint64_t id) {
  auto it = inode->syncing.find(id);
  if (it == inode->syncing.end()) return;
  // A sync also waits for what earlier ones have on the way (Linux: pages under writeback).
  Ranges ranges;
  const auto later = std::next(it);
  for (auto at = inode->syncing.begin(); at != later; at = inode->syncing.erase(at))
    for (auto [begin, end] : at->second) ranges.add(begin, end);
  auto& durable = inode->durable;
  if (inode->least_size < durable.size()) durable.resize(inode->least_size);  // the truncation is durable now
  uint64_t end_max = durable.size();
  for (auto [begin, end] : ranges) end_max = std::max(end_max, end);
  // Holes made by truncate() to a larger size are part of the size, as long as nothing dirty lies beyond.
  if (inode->dirty.empty() && inode->syncing.empty()) end_max = std::max<uint64_t>(end_max, inode->live.size());
  end_max = std::min<uint64_t>(end_max, inode->live.size());
  if (durable.size() < end_max) durable.resize(end_max);
  for (auto [begin, end] : ranges) {
    const uint64_t to = std::min<uint64_t>(end, inode->live.size());
    if (begin < to) std::memcpy(durable.data() + begin, inode->live.data() + begin, to - begin);
  }
  inode->least_size = durable.size();
}

bool SimDisk::rot(std::string_view path, uint64_t position) {
  auto place = find(path);
  if (!place.inode || place.inode->directory || position >= place.inode->live.size()) return false;
  const auto mask = static_cast<std::byte>(1u << random_.below(8));
  place.inode->live[position] ^= mask;
  if (position < place.inode->durable.size()) place.inode->durable[position] ^= mask;
  world_.trace().line(world_.time_text() + " " + host_.name + " bit rot in " + std::string(path) + " at " +
                      std::to_string(position));
  return true;
}

// --- power loss

void SimDisk::lose_file(Inode& inode, PowerLoss how) {
  Ranges dirty = inode.dirty;
  for (auto& [id, ranges] : inode.syncing)
    for (auto [begin, end] : ranges) dirty.add(begin, end);
  inode.dirty.clear();
  inode.syncing.clear();
  const uint64_t live_size = inode.live.size();
  const bool truncated = inode.least_size < inode.durable.size();
  if (how == PowerLoss::kSeeded) {
    static constexpr PowerLoss kWays[] = {PowerLoss::kKeepAll, PowerLoss::kDropAll, PowerLoss::kTorn,
                                          PowerLoss::kGarbage};
    how = kWays[random_.below(std::size(kWays))];
  }
  std::vector<std::byte> after = inode.durable;
  const bool cut_lost =
      truncated && (how == PowerLoss::kDropAll || (how != PowerLoss::kKeepAll && random_.chance(0.5)));
  if (!cut_lost) {
    if (truncated) after.resize(inode.least_size);
    auto copy = [&](uint64_t begin, uint64_t end) {
      std::copy(inode.live.begin() + static_cast<std::ptrdiff_t>(begin),
                inode.live.begin() + static_cast<std::ptrdiff_t>(end),
                after.begin() + static_cast<std::ptrdiff_t>(begin));
    };
    switch (how) {
      case PowerLoss::kKeepAll:
        after.resize(live_size);
        for (auto [begin, end] : dirty) copy(begin, end);
        break;
      case PowerLoss::kDropAll:
      case PowerLoss::kSeeded:
        break;
      case PowerLoss::kTorn: {
        uint64_t cut = 0;
        if (!dirty.empty()) {
          const uint64_t first = dirty.begin()->first, last = std::prev(dirty.end())->second;
          cut = (first + random_.below(last - first + 1)) / sector_bytes_ * sector_bytes_;
        }
        // The size may have reached the disk although the bytes did not: then they are zeros.
        const uint64_t kept_size =
            random_.chance(0.3) ? live_size : std::min(live_size, std::max<uint64_t>(cut, after.size()));
        after.resize(std::max<uint64_t>(kept_size, after.size() <= live_size ? after.size() : live_size));
        for (auto [begin, end] : dirty)
          if (begin < cut) copy(begin, std::min({end, cut, static_cast<uint64_t>(after.size())}));
        break;
      }
      case PowerLoss::kGarbage:
        after.resize(live_size);
        for (auto [begin, end] : dirty) {
          for (uint64_t at = begin; at < end;) {
            const uint64_t next = std::min(end, (at / sector_bytes_ + 1) * sector_bytes_);
            const auto draw = random_.below(3);
            if (draw == 0) copy(at, next);
            if (draw == 1)
              for (uint64_t i = at; i < next; ++i) after[i] = static_cast<std::byte>(random_.next() >> 56);
            at = next;
          }
        }
        break;
    }
  }
  *used_ += after.size();
  *used_ -= inode.live.size();
  inode.live = after;
  inode.durable = std::move(after);
  inode.least_size = inode.durable.size();
  inode.cold = true;
  world_.trace().mix(ConstBytes(inode.live));
}

void SimDisk::lose_dir(const std::shared_ptr<Inode>& dir, PowerLoss how, std::set<uint64_t>& seen) {
  if (!seen.insert(dir->id).second) return;
  dir->entries = dir->durable_entries;
  for (auto& [name, inode] : dir->entries) {
    if (inode->directory) {
      lose_dir(inode, how, seen);
    } else if (seen.insert(inode->id).second) {
      if (inode->kv) lose_kv_power(*inode->kv, how, random_);
      lose_file(*inode, how);
    }
  }
}

void SimDisk::lose_power(const PowerLoss* how) {
  const PowerLoss way = how ? *how : PowerLoss::kSeeded;
  ++boots_;
  locks_.clear();
  size_t kept = unsynced_names_.size();
  if (way == PowerLoss::kDropAll) {
    kept = 0;
  } else if (way != PowerLoss::kKeepAll) {
    const auto draw = random_.below(4);  // none, all, or some of the journal's tail
    kept = draw == 0 ? 0 : draw == 1 ? kept : random_.below(kept + 1);
  }
  unsynced_names_.resize(kept);
  sync_all_names();
  std::set<uint64_t> seen;
  lose_dir(root_, way, seen);
}

void SimDisk::process_gone(SimEnv& env) {
  std::erase_if(locks_, [&](auto& lock) { return lock.second == &env; });
}

// --- faults and checkers

void SimDisk::fail_next(DiskOp op, std::string path_part, int times) {
  planned_.push_back({op, std::move(path_part), times});
}

bool SimDisk::count(DiskOp op) {
  ++operations_[static_cast<size_t>(op)];
  if (op == DiskOp::kRead || !trap_ || --trap_after_ > 0) return false;
  auto trap = std::exchange(trap_, nullptr);
  trap();
  return true;
}

bool SimDisk::planned(DiskOp op, std::string_view path) {
  for (auto it = planned_.begin(); it != planned_.end(); ++it) {
    if (it->op != op || path.find(it->path_part) == std::string_view::npos) continue;
    if (--it->times <= 0) planned_.erase(it);
    world_.trace().line(world_.time_text() + " " + host_.name + " disk error on " + std::string(path));
    return true;
  }
  return false;
}

void SimDisk::set_slow(Duration min, Duration max) {
  slow_ = true;
  slow_min_ = min;
  slow_max_ = max;
}

std::optional<std::string> SimDisk::contents(std::string_view path) const {
  auto place = find(path);
  if (!place.inode || place.inode->directory) return std::nullopt;
  return std::string(as_text(ConstBytes(place.inode->live)));
}

std::optional<std::string> SimDisk::durable_contents(std::string_view path) const {
  auto place = find(path);
  if (!place.inode || place.inode->directory) return std::nullopt;
  return std::string(as_text(ConstBytes(place.inode->durable)));
}

void SimDisk::put_contents(std::string_view path, std::string_view contents) {
  sync_all_names();
  auto place = find(path);
  ensure(place.dir != nullptr, "the directory of a file that a test writes is there");
  if (!place.inode) {
    place.inode = make(false);
    place.dir->entries[place.name] = place.dir->durable_entries[place.name] = place.inode;
  }
  resize(*place.inode, contents.size());
  const auto bytes = as_bytes(contents);
  std::copy(bytes.begin(), bytes.end(), place.inode->live.begin());
  place.inode->settle();
}

void SimDisk::erase(std::string_view path) {
  sync_all_names();
  auto place = find(path);
  if (!place.inode || !place.dir) return;
  place.dir->entries.erase(place.name);
  place.dir->durable_entries.erase(place.name);
}

void SimDisk::sync_everything() {
  sync_all_names();
  std::vector<Inode*> dirs{root_.get()};
  while (!dirs.empty()) {
    Inode* dir = dirs.back();
    dirs.pop_back();
    for (auto& [name, inode] : dir->entries) {
      if (inode->directory)
        dirs.push_back(inode.get());
      else
        inode->settle();
    }
  }
}

KvDisk* SimDisk::kv_at(std::string_view directory) const {
  auto place = find(join_path(directory, "CURRENT"));
  return place.inode ? place.inode->kv.get() : nullptr;
}

namespace {

void collect(const Inode& dir, const std::string& at, std::vector<std::string>& into) {
  for (auto& [name, inode] : dir.entries) {
    std::string path = at + "/" + name;
    if (inode->directory)
      collect(*inode, path, into);
    else
      into.push_back(std::move(path));
  }
}

}  // namespace

std::vector<std::string> SimDisk::files_under(std::string_view path) const {
  std::vector<std::string> found;
  auto place = find(path);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (place.inode && place.inode->directory) collect(*place.inode, std::string(path), found);
  return found;
}

}  // namespace farshore::sim
