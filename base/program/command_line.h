// add_program_options(), parse_command_line(): the command line as far as all programs have it in common: --version, a
// completion script, the man page, and how a wrong argument is told. Executor: none; called by main().
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

namespace farshore::program {

inline constexpr int kWrongArguments = 2;  // exit code

// Adds --version, --completion SHELL and --man to `app`. `speaks`: the APIs and their versions, for --version.
void add_program_options(CLI::App& app, std::string speaks);

// Adds the command `completion SHELL`, for a program that has commands: as --completion, where users look for it.
void add_completion_command(CLI::App& app);

// Parses. A value: the program is to end with it; what is to be said was printed. A wrong argument: one line on stderr
// that names the nearest right one, and kWrongArguments. Exceptions of the program's own callbacks pass through.
std::optional<int> parse_command_line(CLI::App& app, int argc, const char* const* argv);

}  // namespace farshore::program
