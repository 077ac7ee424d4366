#include "base/real/text_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace farshore {
namespace {

class TextFile : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/farshore-text-file-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string write(const std::string& content) {
    std::ofstream(directory_ + "/file") << content;
    return directory_ + "/file";
  }
  std::string directory_;
};

TEST_F(TextFile, TextFileIsReadWholeEvenIfEmpty) {
  EXPECT_EQ(read_text_file(write("")).value(), "");
  const std::string large(100'000, 'x');
  EXPECT_EQ(read_text_file(write(large)).value(), large);
}

TEST_F(TextFile, UnreadableTextFileIsNamedWithTheReason) {
  auto missing = read_text_file(directory_ + "/nothing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().detail, directory_ + "/nothing: No such file or directory");
  auto directory = read_text_file(directory_);
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error(), ErrorCode::kInvalidArgument);
  auto large = read_text_file(write(std::string(1001, 'x')), 1000);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace farshore
