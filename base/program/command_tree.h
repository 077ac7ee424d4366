// Commands and options of a command line that CLI11 parses, as a completion script and a man page need them. No I/O.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace farshore::program {

// In the order in which they were added; those of no group are hidden.
std::vector<const CLI::App*> commands_of(const CLI::App& app);
const CLI::App* find_command(const CLI::App& app, const std::string& name);

enum class ValueKind { kNone, kText, kChoice, kFile, kDirectory };  // kNone: a flag

struct OptionView {
  std::vector<std::string> names;    // "--output", "-o": long ones first; empty: an argument without a name
  std::string value;                 // as it is called: "HOST:PORT"; empty: a flag
  std::vector<std::string> choices;  // of kChoice
  std::string help;
  ValueKind kind = ValueKind::kNone;
  bool required = false, repeated = false;
  std::string name() const { return names.empty() ? value : names.front(); }
};
// Options and arguments of `app` itself, without those of the commands above it.
std::vector<OptionView> options_of(const CLI::App& app);

// "farshore mirror promote": the names from the program down.
std::string path_of(const CLI::App& app);

}  // namespace farshore::program
