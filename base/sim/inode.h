// One file or directory of a simulated disk. Internal to this room.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace farshore::sim {

struct KvDisk;  // what a SimKv keeps in its directory

// Byte ranges [begin, end), joined where they touch.
class Ranges {
 public:
  void add(uint64_t begin, uint64_t end) {
    if (begin >= end) return;
    auto it = ranges_.upper_bound(begin);
    if (it != ranges_.begin() && std::prev(it)->second >= begin) {
      --it;
      begin = it->first;
      end = std::max(end, it->second);
      it = ranges_.erase(it);
    }
    while (it != ranges_.end() && it->first <= end) {
      end = std::max(end, it->second);
      it = ranges_.erase(it);
    }
    ranges_[begin] = end;
  }
  void cut(uint64_t size) {  // nothing at or beyond `size`
    ranges_.erase(ranges_.lower_bound(size), ranges_.end());
    if (!ranges_.empty() && std::prev(ranges_.end())->second > size) std::prev(ranges_.end())->second = size;
  }
  void clear() { ranges_.clear(); }
  bool empty() const { return ranges_.empty(); }
  auto begin() const { return ranges_.begin(); }
  auto end() const { return ranges_.end(); }

 private:
  std::map<uint64_t, uint64_t> ranges_;
};

struct Inode {
  uint64_t id = 0;
  bool directory = false;
  // A directory: names as processes see them, and as they are on the platter.
  std::map<std::string, std::shared_ptr<Inode>, std::less<>> entries, durable_entries;
  // A file.
  std::vector<std::byte> live, durable;
  Ranges dirty;                        // written since the last sync began
  std::map<uint64_t, Ranges> syncing;  // syncs under way
  uint64_t least_size = 0;             // the smallest it has been since its size was made durable
  bool cold = false;                   // not in the page cache: the next read waits
  std::shared_ptr<KvDisk> kv;
  std::shared_ptr<uint64_t> used;  // the disk's account

  void settle() {  // everything live becomes durable
    durable = live;
    dirty.clear();
    syncing.clear();
    least_size = durable.size();
  }
  ~Inode() {
    if (used) *used -= live.size();
  }
};

}  // namespace farshore::sim
