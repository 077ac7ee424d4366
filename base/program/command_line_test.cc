#include "base/program/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/program/build_info.h"
#include "base/program/completion.h"
#include "base/program/man_page.h"

namespace farshore::program {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() {
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.add_option("-o,--output", text_, "human or json")->check(CLI::IsMember({"human", "json"}));
    auto* link = app_.add_subcommand("link", "links of a gateway");
    auto* create = link->add_subcommand("create", "makes a link; it's stored at the target");
    create->add_option("name", text_, "of the link")->required();
    create->add_option("--file", text_, "reads it from here")->type_name("FILE");
    create->add_flag("--dry-run", flag_, "changes nothing");
    add_program_options(app_, "the test protocol 1-2");
  }
  // Exit code (-1: goes on), with what was printed on stdout and stderr.
  int parse(std::vector<const char*> words) {
    words.insert(words.begin(), "program");
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    auto code = parse_command_line(app_, static_cast<int>(words.size()), words.data());
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return code.value_or(-1);
  }

  CLI::App app_{"does a thing", "test-program"};
  std::string text_, out_, err_;
  bool flag_ = false;
};

TEST_F(CommandLineTest, RightArgumentsGoOn) { EXPECT_EQ(parse({"link", "create", "x", "--dry-run"}), -1); }

TEST_F(CommandLineTest, VersionIsPrintedWithoutACommand) {
  EXPECT_EQ(parse({"--version"}), 0);
  EXPECT_THAT(out_, HasSubstr("test-program " + std::string(build_info().version) + "\ncommit:  "));
  EXPECT_THAT(out_, HasSubstr("speaks:  the test protocol 1-2"));
  EXPECT_FALSE(build_info().commit.empty());
}

TEST_F(CommandLineTest, WrongArgumentsAreToldWithTheNearestAndEndWithTwo) {
  EXPECT_EQ(parse({"lnik", "create", "x"}), kWrongArguments);
  EXPECT_THAT(err_, HasSubstr("test-program: unknown command 'lnik'; did you mean 'link'?"));
  EXPECT_EQ(parse({"link", "create", "x", "--dry-rum"}), kWrongArguments);
  EXPECT_THAT(err_, HasSubstr("did you mean '--dry-run'?"));
  EXPECT_EQ(parse({"link", "create"}), kWrongArguments) << "an argument is missing";
  EXPECT_EQ(parse({"--completion", "tcsh"}), kWrongArguments);
}

TEST_F(CommandLineTest, ManPageHasEachCommandAndOptionAndNoLineThatTroffWouldObey) {
  EXPECT_EQ(parse({"--man"}), 0);
  EXPECT_THAT(out_, HasSubstr(".SS test\\-program link create"));
  EXPECT_THAT(out_, HasSubstr("\\fB\\-\\-output\\fR, \\fB\\-o\\fR"));
  EXPECT_THAT(out_, HasSubstr("One of: human, json."));
  EXPECT_THAT(out_, HasSubstr("\\fINAME\\fR"));
  app_.footer(".so /etc/passwd");
  EXPECT_THAT(man_page(app_), HasSubstr("\n\\&.so /etc/passwd"));
}

TEST_F(CommandLineTest, CompletionScriptNamesNoHiddenCommand) {
  app_.add_subcommand("hidden", "")->group("");
  for (Shell shell : {Shell::kBash, Shell::kZsh, Shell::kFish}) {
    const std::string script = completion_script(app_, shell);
    EXPECT_THAT(script, HasSubstr("create"));
    EXPECT_THAT(script, HasSubstr("dry-run"));
    EXPECT_THAT(script, Not(HasSubstr("hidden")));
  }
}

}  // namespace
}  // namespace farshore::program
