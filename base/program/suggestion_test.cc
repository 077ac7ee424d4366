#include "base/program/suggestion.h"

#include <gtest/gtest.h>

namespace farshore::program {
namespace {

class SuggestionTest : public ::testing::Test {
 protected:
  SuggestionTest() {
    app_.add_option("--api", text_);
    auto* link = app_.add_subcommand("link", "");
    link->add_subcommand("list", "");
    auto* create = link->add_subcommand("create", "");
    create->add_option("--topics", text_);
    create->add_option("name", text_);
    create->add_flag("--dry-run", flag_);
    app_.add_subcommand("status", "");
  }
  std::string unknown(std::vector<std::string> words) { return unknown_word(app_, words); }

  CLI::App app_{"test", "test"};
  std::string text_;
  bool flag_ = false;
};

TEST_F(SuggestionTest, UnknownCommandNamesTheNearestOneAndAllThatThereAre) {
  EXPECT_EQ(unknown({"statsu"}), "unknown command 'statsu'; did you mean 'status'? Known: link, status");
  EXPECT_EQ(unknown({"link", "crate"}), "unknown command 'crate'; did you mean 'create'? Known: list, create");
}

TEST_F(SuggestionTest, ValueOfAnOptionIsNoCommand) {
  EXPECT_EQ(unknown({"--api", "nowhere", "status"}), "");
  EXPECT_EQ(unknown({"--api=nowhere", "statsu"}).substr(0, 24), "unknown command 'statsu'");
}

TEST_F(SuggestionTest, UnknownOptionNamesTheNearestOneOfTheCommandOrTheProgram) {
  EXPECT_EQ(unknown({"link", "create", "l", "--topcis", "a"}).substr(0, 50),
            "unknown option '--topcis'; did you mean '--topics'");
  EXPECT_EQ(unknown({"link", "create", "--apo=x"}).substr(0, 43), "unknown option '--apo'; did you mean '--api");
}

TEST_F(SuggestionTest, CommandLineWithoutUnknownWordsHasNone) {
  EXPECT_EQ(unknown({"link", "create", "status", "--dry-run", "--topics", "a"}), "");
  EXPECT_EQ(unknown({"link"}), "");
  EXPECT_EQ(unknown({}), "");
}

}  // namespace
}  // namespace farshore::program
