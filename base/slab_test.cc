#include "base/slab.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace farshore {
namespace {

TEST(SlabArena, LastFreedSlabIsReusedFirstAndKeptMemoryIsLimited) {
  SlabArena arena(2 * kSlabBytes);
  auto a = arena.allocate(), b = arena.allocate(), c = arena.allocate();
  EXPECT_EQ(arena.used_bytes(), 3 * kSlabBytes);
  std::byte* hot = b.data();
  a = SlabRef();
  b = SlabRef();
  c = SlabRef();  // a third would be more than is kept
  EXPECT_EQ(arena.used_bytes(), 0u);
  EXPECT_EQ(arena.kept_bytes(), 2 * kSlabBytes);
  EXPECT_EQ(arena.allocate().data(), hot);
}

TEST(SlabArena, LargeBlocksAreWholeSlabsAndAreNotKept) {
  SlabArena arena;
  {
    auto large = arena.allocate(2 * kSlabBytes + 1);
    EXPECT_EQ(large.size(), 3 * kSlabBytes);
    large.data()[large.size() - 1] = std::byte{1};
    EXPECT_EQ(arena.used_bytes(), 3 * kSlabBytes);
  }
  EXPECT_EQ(arena.used_bytes(), 0u);
  EXPECT_EQ(arena.kept_bytes(), 0u);
}

TEST(SlabArenaDeathTest, SlabThatOutlivesItsArenaEndsTheProcess) {
  EXPECT_DEATH(
      {
        SlabRef slab;
        SlabArena arena;
        slab = arena.allocate();
      },
      "outlives its arena");
}

TEST(SlabRef, SlabIsFreedWithItsLastReference) {
  SlabArena arena;
  auto a = arena.allocate();
  EXPECT_TRUE(a.unique());
  {
    SlabRef b = a;
    EXPECT_FALSE(a.unique());
    EXPECT_EQ(a, b);
  }
  EXPECT_TRUE(a.unique());
}

TEST(SliceList, AdjacentSlicesAreJoined) {
  SlabArena arena;
  auto slab = arena.allocate();
  SliceList list;
  list.append(Slice(slab, 0, 10));
  list.append(Slice(slab, 10, 5));
  list.append(Slice(slab, 20, 5));
  list.append(Slice());
  EXPECT_EQ(list.slices().size(), 2u);
  EXPECT_EQ(list.size(), 20u);
  list.append(list);
  EXPECT_EQ(list.size(), 40u);
}

TEST(SliceList, CopyPatchAndSubAgreeWithOneContiguousString) {
  SlabArena arena;
  Random random(11);
  for (int round = 0; round < 50; ++round) {
    SliceList list;
    std::string model;
    for (int i = 0; i < 5; ++i) {
      auto slab = arena.allocate();
      size_t offset = random.below(100), size = random.below(200);
      Slice slice(slab, offset, size);
      for (auto& byte : slice.mutable_bytes()) byte = static_cast<std::byte>(random.next());
      model += as_text(slice.bytes());
      list.append(std::move(slice));
    }
    ASSERT_EQ(list.size(), model.size());
    size_t from = random.below(model.size() + 1), size = random.below(model.size() - from + 1);
    std::string patch(size, 'p');
    list.patch(from, as_bytes(patch));
    model.replace(from, size, patch);
    from = random.below(model.size() + 1);
    size = random.below(model.size() - from + 1);
    std::string copied(size, '\0');
    list.copy_out(from, std::as_writable_bytes(std::span(copied.data(), copied.size())));
    EXPECT_EQ(copied, model.substr(from, size));
    std::string joined;
    for (auto piece : list.sub(from, size).pieces()) joined += as_text(piece);
    EXPECT_EQ(joined, copied);
  }
}

TEST(SlabWriter, WriterStartsANewSlabWhenASliceDoesNotFit) {
  SlabArena arena;
  SlabWriter writer(arena);
  EXPECT_EQ(writer.room().size(), kSlabBytes);
  Slice a = writer.take(100);
  EXPECT_EQ(writer.room().size(), kSlabBytes - 100);
  Slice b = writer.take(50);
  EXPECT_EQ(a.bytes().data() + 100, b.bytes().data());
  EXPECT_EQ(writer.room(kSlabBytes - 100).size(), kSlabBytes);
  Slice c = writer.take(1);
  EXPECT_NE(c.slab(), a.slab());
  EXPECT_EQ(arena.used_bytes(), 2 * kSlabBytes);
}

TEST(SlabWriter, WriterReusesMemoryWhoseSlicesWereReleased) {
  SlabArena arena;
  SlabWriter writer(arena);
  auto* first = writer.room().data();
  { Slice gone = writer.take(1000); }
  EXPECT_EQ(writer.room().data(), first);
  { Slice whole = (writer.room(), writer.take(kSlabBytes)); }
  EXPECT_EQ(writer.room().data(), first);
}

}  // namespace
}  // namespace farshore
