// Every CRC-32C kernel this processor has, forced by name: golden vectors, equality with a bitwise reference, bounds.
#include "base/crc32c.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "base/crc32c_kernels.h"
#include "base/random.h"

namespace farshore {
namespace {

std::string random_text(size_t size, uint64_t seed) {
  Random random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  return text;
}

// The definition, bit by bit: shares no table and no constant with the kernels.
uint32_t crc_by_bits(ConstBytes bytes, uint32_t crc) {
  crc = ~crc;
  for (std::byte byte : bytes) {
    crc ^= static_cast<uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

class Crc32c : public testing::TestWithParam<Crc32cKernel> {
 protected:
  uint32_t crc(ConstBytes bytes, uint32_t before = 0) const { return GetParam().function(bytes, before); }
};

TEST_P(Crc32c, ChecksumMatchesTheVectorsOfRfc3720) {
  auto text_crc = [&](std::string_view text) { return crc(as_bytes(text)); };
  std::string up, down;
  for (int i = 0; i < 32; ++i) {
    up.push_back(static_cast<char>(i));
    down.push_back(static_cast<char>(31 - i));
  }
  EXPECT_EQ(text_crc(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(text_crc(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(text_crc(up), 0x46dd794eu);
  EXPECT_EQ(text_crc(down), 0x113fdb5cu);
  EXPECT_EQ(text_crc("123456789"), 0xe3069283u);
  EXPECT_EQ(text_crc(""), 0u);
}

// The vectors above are too short for folding. A message followed by its CRC, little end first, leaves a constant.
TEST_P(Crc32c, MessageWithItsChecksumLeavesTheCastagnoliResidue) {
  for (size_t size : {640, 1000, 4096, 16384, 40000}) {
    std::string text = random_text(size, size);
    uint32_t own = crc(as_bytes(text));
    for (int shift = 0; shift < 32; shift += 8) text.push_back(static_cast<char>(own >> shift));
    EXPECT_EQ(crc(as_bytes(text)), 0x48674bc7u) << size;
  }
}

TEST_P(Crc32c, ChecksumMatchesTheDefinitionForEveryLengthAndAlignment) {
  std::string text = random_text(1200 + 64, 6);
  Random random(7);
  for (size_t length = 0; length <= 1200; ++length) {
    auto before = static_cast<uint32_t>(random.next());
    size_t offset = length % 64;
    auto bytes = as_bytes(text).subspan(offset, length);
    ASSERT_EQ(crc(bytes, before), crc_by_bits(bytes, before)) << "offset " << offset << " length " << length;
  }
  for (size_t offset = 0; offset < 64; ++offset)
    for (size_t length : {1, 63, 192, 207, 256, 287, 640, 703, 1024, 1100}) {
      auto bytes = as_bytes(text).subspan(offset, length);
      ASSERT_EQ(crc(bytes, 5), crc_by_bits(bytes, 5)) << "offset " << offset << " length " << length;
    }
}

// Every number of steps, every rest, one block and several, of each vector width.
TEST_P(Crc32c, LongInputMatchesThePortableKernel) {
  std::string text = random_text((1 << 18) + 64, 8);
  Random random(9);
  auto check = [&](size_t offset, size_t length) {
    auto bytes = as_bytes(text).subspan(offset, length);
    auto before = static_cast<uint32_t>(random.next());
    ASSERT_EQ(crc(bytes, before), crc32c_portable(bytes, before)) << "offset " << offset << " length " << length;
  };
  for (size_t length = 1201; length < 36000; length += 61) check(length % 64, length);
  for (size_t length : {8128, 10880, 16384})
    for (size_t blocks = 1; blocks <= 3; ++blocks)
      for (size_t rest : {0, 1, 15, 16, 31, 32, 63, 64, 383, 640}) {
        check(0, length * blocks + rest);
        if (rest > 0) check(1, length * blocks - rest);
      }
  for (int i = 0; i < 200; ++i) check(random.below(64), random.below(i < 180 ? 20000 : 1 << 18));
}

TEST_P(Crc32c, ChecksumExtendsAndCombinesOverAnySplit) {
  std::string text = random_text(20000, 5);
  Random random(10);
  uint32_t whole = crc(as_bytes(text));
  for (int i = 0; i < 300; ++i) {
    size_t split = random.below(text.size() + 1);
    auto a = as_bytes(text).first(split), b = as_bytes(text).subspan(split);
    ASSERT_EQ(crc(b, crc(a)), whole) << split;
    ASSERT_EQ(crc32c_combine(crc(a), crc(b), b.size()), whole) << split;
  }
}

// Reads nothing in front of its input and nothing behind it: both ends stand at pages that may not be read. (The
// kernels have assembly, which the address sanitizer does not see into.)
TEST_P(Crc32c, KernelReadsOnlyItsInput) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t inside = 5 * page;
  void* memory = ::mmap(nullptr, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* start = static_cast<std::byte*>(memory) + page;
  ASSERT_EQ(::mprotect(start, inside, PROT_READ | PROT_WRITE), 0);
  std::string text = random_text(inside, 11);
  std::memcpy(start, text.data(), inside);
  ConstBytes bytes(start, inside);
  for (size_t length = 0; length <= inside; length += length < 1500 ? 1 : 577) {
    ASSERT_EQ(crc(bytes.first(length)), crc32c_portable(as_bytes(text).first(length), 0)) << length;
    ASSERT_EQ(crc(bytes.last(length)), crc32c_portable(as_bytes(text).last(length), 0)) << length;
  }
  ::munmap(memory, inside + 2 * page);
}

INSTANTIATE_TEST_SUITE_P(Kernels, Crc32c, testing::ValuesIn(crc32c_kernels().begin(), crc32c_kernels().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Crc32cDispatch, DispatchTakesTheLastKernelAndAlwaysHasThePortableOne) {
  ASSERT_FALSE(crc32c_kernels().empty());
  EXPECT_STREQ(crc32c_kernels().front().name, "portable");
  std::string text = random_text(5000, 12);
  EXPECT_EQ(crc32c(as_bytes(text), 3), crc32c_kernels().back().function(as_bytes(text), 3));
  EXPECT_EQ(crc32c(as_bytes(text), 3), crc_by_bits(as_bytes(text), 3));
}

TEST(Crc32cCombine, CombineWorksBeyondAnyBufferSize) {  // 2^40 zero bytes, by doubling
  uint32_t crc = crc32c(as_bytes(std::string_view("\0", 1)));
  uint64_t length = 1;
  for (; length < uint64_t{1} << 39; length *= 2) crc = crc32c_combine(crc, crc, length);
  EXPECT_EQ(crc32c_combine(crc32c_combine(0x12345678, crc, length), crc, length),
            crc32c_combine(0x12345678, crc32c_combine(crc, crc, length), 2 * length));
}

}  // namespace
}  // namespace farshore
