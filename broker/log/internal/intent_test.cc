#include "broker/log/internal/intent.h"

#include <gtest/gtest.h>

namespace farshore {
namespace {

TEST(Intent, TextRoundTripsAndDamageIsRefused) {
  Intent intent;
  intent.kind = Intent::Kind::kSwap;
  intent.start = Offset(5);
  intent.replaced = {Offset(5), Offset(77)};
  std::string text = intent.encode();
  auto again = Intent::decode(text).value();
  EXPECT_EQ(again.replaced, intent.replaced);
  for (size_t at = 0; at < text.size(); ++at) {
    std::string bad = text;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(Intent::decode(bad)) << at;
  }
}

}  // namespace
}  // namespace farshore
