#include "broker/log/internal/checkpoint_file.h"

#include "base/crc32c.h"
#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

struct CheckpointFileTest : LogTest {
  void SetUp() override { ASSERT_TRUE(run(host->env().files().make_dirs(kDir))); }
  CheckpointFile file() { return {host->env(), host->env().files(), path_of(log_format::kCheckpoint)}; }
};

TEST_F(CheckpointFileTest, NumbersAreReadAsTheyWereWritten) {
  PartitionCheckpoint c;
  c.recovery_point = Offset(70);
  c.log_start = Offset(10);
  c.high_watermark = Offset(69);
  c.cleaned_to = Offset(40);
  c.compacted_to = Offset(50);
  c.epochs_crc = 7;
  CheckpointFile written = file();
  ASSERT_TRUE(run(written.save(c, CheckpointFile::Durability::kDurable)));
  CheckpointFile again = file();
  auto loaded = run(again.load());
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  EXPECT_EQ(*loaded, c);
}

// It has seven numbers; what was cleaned is all that is known of what was compacted.
TEST_F(CheckpointFileTest, VersionOneIsReadAndReplaced) {
  std::string contents(8192, '\0');
  auto* slot = reinterpret_cast<std::byte*>(contents.data()) + 4096;
  store_be(slot, log_format::kCheckpointMagic);
  store_be(slot + 4, int16_t{1});
  store_be(slot + 8, uint64_t{5});
  const int64_t numbers[] = {70, 10, 69, -1, -1, -1, 40};
  for (size_t i = 0; i < std::size(numbers); ++i) store_be(slot + 16 + 8 * i, numbers[i]);
  store_be(slot + 72, uint32_t{7});
  store_be(slot + 76, crc32c(ConstBytes(slot, 76)));
  contents.resize(4096 + 80);  // as long as version 1 wrote it
  disk().put_contents(path_of(log_format::kCheckpoint), contents);
  CheckpointFile checkpoint = file();
  auto loaded = run(checkpoint.load());
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  EXPECT_EQ(loaded->recovery_point, Offset(70));
  EXPECT_EQ(loaded->cleaned_to, Offset(40));
  EXPECT_EQ(loaded->compacted_to, Offset(40));
  EXPECT_EQ(loaded->epochs_crc, 7U);
  loaded->compacted_to = Offset(60);
  ASSERT_TRUE(run(checkpoint.save(*loaded, CheckpointFile::Durability::kDurable)));
  CheckpointFile again = file();
  EXPECT_EQ(run(again.load()).value(), *loaded);
}

TEST_F(CheckpointFileTest, TornSlotIsNotBelieved) {
  CheckpointFile written = file();
  PartitionCheckpoint c;
  c.high_watermark = Offset(3);
  ASSERT_TRUE(run(written.save(c, CheckpointFile::Durability::kDurable)));
  c.high_watermark = Offset(4);
  ASSERT_TRUE(run(written.save(c, CheckpointFile::Durability::kCached)));
  for (const auto& path : files(log_format::kCheckpoint)) edit(path, [](std::string& all) { all[4096 + 75] ^= 1; });
  CheckpointFile again = file();
  auto loaded = run(again.load());
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  EXPECT_EQ(loaded->high_watermark, Offset(4)) << "the other slot";
}

}  // namespace
}  // namespace farshore::log_test
