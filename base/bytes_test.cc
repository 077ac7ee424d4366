#include "base/bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace farshore {
namespace {

template <class T>
void expect_round_trip(T value) {
  std::array<std::byte, sizeof(T) + 1> at{};  // one more, so that the number is not aligned
  store_be(at.data() + 1, value);
  EXPECT_EQ(load_be<T>(at.data() + 1), value);
}

TEST(BigEndian, MostSignificantByteIsStoredFirst) {
  std::array<std::byte, 8> at{};
  store_be<uint32_t>(at.data(), 0x01020304);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(at[static_cast<size_t>(i)], static_cast<std::byte>(i + 1));
  store_be<uint64_t>(at.data(), 0x0102030405060708);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(at[static_cast<size_t>(i)], static_cast<std::byte>(i + 1));
}

TEST(BigEndian, ExtremeValuesOfEverySizeAreLoadedAsStored) {
  for (bool high : {false, true}) {
    expect_round_trip(high ? std::numeric_limits<int8_t>::max() : std::numeric_limits<int8_t>::min());
    expect_round_trip(high ? std::numeric_limits<int16_t>::max() : std::numeric_limits<int16_t>::min());
    expect_round_trip(high ? std::numeric_limits<int32_t>::max() : std::numeric_limits<int32_t>::min());
    expect_round_trip(high ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min());
    expect_round_trip(high ? std::numeric_limits<uint16_t>::max() : uint16_t{1});
    expect_round_trip(high ? std::numeric_limits<uint64_t>::max() : uint64_t{1});
  }
}

TEST(Bytes, TextIsViewedAsBytesAndBackWithoutACopy) {
  const std::string_view text("a\0b", 3);
  const ConstBytes bytes = as_bytes(text);
  EXPECT_EQ(bytes.size(), 3u);
  EXPECT_EQ(as_text(bytes), text);
  EXPECT_EQ(as_text(bytes).data(), text.data());
}

}  // namespace
}  // namespace farshore
