// Memory for bytes that travel: 1 MiB slabs from a per-core arena, handed out hot (last freed, first used). Slices
// share a slab; the count is not atomic, so slices stay on the executor of their arena.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ensure.h"

namespace farshore {

inline constexpr size_t kSlabBytes = 1 << 20;

class SlabArena;

namespace detail {
struct Slab {
  std::byte* memory;
  size_t size;  // kSlabBytes, or more for a single large allocation
  uint32_t references;
  SlabArena* arena;
};
}  // namespace detail

// Shares ownership of one slab.
class SlabRef {
 public:
  SlabRef() = default;
  SlabRef(const SlabRef& other) : slab_(other.slab_) {
    if (slab_) ++slab_->references;
  }
  SlabRef(SlabRef&& other) noexcept : slab_(std::exchange(other.slab_, nullptr)) {}
  SlabRef& operator=(SlabRef other) noexcept {
    std::swap(slab_, other.slab_);
    return *this;
  }
  ~SlabRef() {
    if (slab_ && --slab_->references == 0) release(slab_);
  }
  explicit operator bool() const { return slab_ != nullptr; }
  std::byte* data() const { return slab_->memory; }
  size_t size() const { return slab_->size; }
  bool unique() const { return slab_ && slab_->references == 1; }
  friend bool operator==(const SlabRef&, const SlabRef&) = default;

 private:
  friend class SlabArena;
  explicit SlabRef(detail::Slab* slab) : slab_(slab) {}
  static void release(detail::Slab* slab);
  detail::Slab* slab_ = nullptr;
};

// Some bytes of one slab.
class Slice {
 public:
  Slice() = default;
  Slice(SlabRef slab, size_t offset, size_t size) : slab_(std::move(slab)), offset_(offset), size_(size) {
    debug_ensure(offset + size <= slab_.size(), "slice inside its slab");
  }
  ConstBytes bytes() const { return size_ ? ConstBytes(slab_.data() + offset_, size_) : ConstBytes(); }
  MutableBytes mutable_bytes() { return size_ ? MutableBytes(slab_.data() + offset_, size_) : MutableBytes(); }
  size_t size() const { return size_; }
  const SlabRef& slab() const { return slab_; }
  size_t offset() const { return offset_; }
  Slice sub(size_t from, size_t size) const { return Slice(slab_, offset_ + from, size); }

 private:
  SlabRef slab_;
  size_t offset_ = 0, size_ = 0;
};

// A run of bytes in several slices; appending a slice that continues the last one in the same slab joins them, so there
// is one piece per slab.
class SliceList {
 public:
  void append(Slice slice);
  void append(const SliceList& other);
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Copies [from, from+into.size()) out; the range must exist.
  void copy_out(size_t from, MutableBytes into) const;
  // Overwrites [at, at+bytes.size()) in place: only for an owner that shares the bytes with nobody.
  void patch(size_t at, ConstBytes bytes);
  SliceList sub(size_t from, size_t size) const;
  // The pieces to write or check, in order.
  boost::container::small_vector<ConstBytes, 4> pieces() const;
  const boost::container::small_vector<Slice, 2>& slices() const { return slices_; }
  void clear() {
    slices_.clear();
    size_ = 0;
  }

 private:
  boost::container::small_vector<Slice, 2> slices_;
  size_t size_ = 0;
};

// Executor: one. Must outlive every slab it gave (ensured by its destructor).
class SlabArena {
 public:
  // Keeps at most `kept_bytes_max` of free slabs for reuse; the rest goes back to the system.
  explicit SlabArena(size_t kept_bytes_max = 64 << 20) : kept_bytes_max_(kept_bytes_max) {}
  SlabArena(const SlabArena&) = delete;
  SlabArena& operator=(const SlabArena&) = delete;
  ~SlabArena();

  SlabRef allocate();              // kSlabBytes
  SlabRef allocate(size_t bytes);  // one block of at least so many, rounded up to whole slabs; for whole frames
  size_t used_bytes() const { return used_bytes_; }
  size_t kept_bytes() const { return kept_bytes_; }

 private:
  friend class SlabRef;
  void give_back(detail::Slab* slab);
  std::vector<detail::Slab*> free_;
  size_t kept_bytes_max_, kept_bytes_ = 0, used_bytes_ = 0;
};

// Small pieces cut from shared slabs: for whoever fills memory bit by bit (a connection that reads).
class SlabWriter {
 public:
  explicit SlabWriter(SlabArena& arena) : arena_(arena) {}
  // Free room at the end of the current slab; at least `bytes_min` (<= kSlabBytes).
  MutableBytes room(size_t bytes_min = 1);
  // The first `bytes` of the last room() are filled: returns them as a slice.
  Slice take(size_t bytes);

 private:
  SlabArena& arena_;
  SlabRef slab_;
  size_t filled_ = 0;
};

}  // namespace farshore
