#include "base/slab.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#ifdef __has_feature  // clang says it this way, g++ with __SANITIZE_ADDRESS__
#if __has_feature(address_sanitizer)
#define FARSHORE_POISONS_SLABS
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(FARSHORE_POISONS_SLABS)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)0)
#endif

namespace farshore {
namespace {

detail::Slab* map_slab(SlabArena* arena, size_t size) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ensure(memory != MAP_FAILED, "out of memory for a slab: lower the budgets");
  return new detail::Slab{static_cast<std::byte*>(memory), size, 0, arena};
}

void unmap_slab(detail::Slab* slab) {
  ASAN_UNPOISON_MEMORY_REGION(slab->memory, slab->size);
  ::munmap(slab->memory, slab->size);
  delete slab;
}

}  // namespace

void SlabRef::release(detail::Slab* slab) { slab->arena->give_back(slab); }

SlabArena::~SlabArena() {
  ensure(used_bytes_ == 0, "a slab outlives its arena");
  for (auto* slab : free_) unmap_slab(slab);
}

SlabRef SlabArena::allocate() {
  detail::Slab* slab = nullptr;
  if (free_.empty()) {
    slab = map_slab(this, kSlabBytes);
  } else {
    slab = free_.back();
    free_.pop_back();
    kept_bytes_ -= slab->size;
    ASAN_UNPOISON_MEMORY_REGION(slab->memory, slab->size);
  }
  slab->references = 1;
  used_bytes_ += slab->size;
  return SlabRef(slab);
}

SlabRef SlabArena::allocate(size_t bytes) {
  if (bytes <= kSlabBytes) return allocate();
  auto* slab = map_slab(this, (bytes + kSlabBytes - 1) / kSlabBytes * kSlabBytes);
  slab->references = 1;
  used_bytes_ += slab->size;
  return SlabRef(slab);
}

void SlabArena::give_back(detail::Slab* slab) {
  used_bytes_ -= slab->size;
  if (slab->size != kSlabBytes || kept_bytes_ + slab->size > kept_bytes_max_) return unmap_slab(slab);
  kept_bytes_ += slab->size;
  free_.push_back(slab);
  ASAN_POISON_MEMORY_REGION(slab->memory, slab->size);
}

void SliceList::append(Slice slice) {
  if (slice.size() == 0) return;
  size_ += slice.size();
  if (!slices_.empty()) {
    const Slice& last = slices_.back();
    if (last.slab() == slice.slab() && last.offset() + last.size() == slice.offset()) {
      slices_.back() = Slice(slice.slab(), last.offset(), last.size() + slice.size());
      return;
    }
  }
  slices_.push_back(std::move(slice));
}

void SliceList::append(const SliceList& other) {
  auto added = other.slices_;  // a copy: `other` may be this list
  for (auto& slice : added) append(std::move(slice));
}

void SliceList::copy_out(size_t from, MutableBytes into) const {
  ensure(from <= size_ && into.size() <= size_ - from, "copy_out beyond the end");
  for (const auto& slice : slices_) {
    if (into.empty()) return;
    if (from >= slice.size()) {
      from -= slice.size();
      continue;
    }
    size_t n = std::min(slice.size() - from, into.size());
    std::memcpy(into.data(), slice.bytes().data() + from, n);
    into = into.subspan(n);
    from = 0;
  }
}

void SliceList::patch(size_t at, ConstBytes bytes) {
  ensure(at <= size_ && bytes.size() <= size_ - at, "patch beyond the end");
  for (auto& slice : slices_) {
    if (bytes.empty()) return;
    if (at >= slice.size()) {
      at -= slice.size();
      continue;
    }
    size_t n = std::min(slice.size() - at, bytes.size());
    std::memcpy(slice.mutable_bytes().data() + at, bytes.data(), n);
    bytes = bytes.subspan(n);
    at = 0;
  }
}

SliceList SliceList::sub(size_t from, size_t size) const {
  ensure(from <= size_ && size <= size_ - from, "sub beyond the end");
  SliceList part;
  for (const auto& slice : slices_) {
    if (size == 0) break;
    if (from >= slice.size()) {
      from -= slice.size();
      continue;
    }
    size_t n = std::min(slice.size() - from, size);
    part.append(slice.sub(from, n));
    size -= n;
    from = 0;
  }
  return part;
}

boost::container::small_vector<ConstBytes, 4> SliceList::pieces() const {
  boost::container::small_vector<ConstBytes, 4> result;
  result.reserve(slices_.size());
  for (const auto& slice : slices_) result.push_back(slice.bytes());
  return result;
}

MutableBytes SlabWriter::room(size_t bytes_min) {
  ensure(bytes_min <= kSlabBytes, "a slab is not that large");
  if (slab_ && slab_.unique()) filled_ = 0;  // nobody holds what was taken: the same warm memory again
  if (!slab_ || slab_.size() - filled_ < bytes_min || filled_ == slab_.size()) {
    slab_ = SlabRef();  // first, so that an arena can hand the same slab out again
    slab_ = arena_.allocate();
    filled_ = 0;
  }
  return {slab_.data() + filled_, slab_.size() - filled_};
}

Slice SlabWriter::take(size_t bytes) {
  ensure(slab_ && bytes <= slab_.size() - filled_, "take() more than room() gave");
  Slice slice(slab_, filled_, bytes);
  filled_ += bytes;
  return slice;
}

}  // namespace farshore
