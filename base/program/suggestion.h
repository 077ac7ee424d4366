// unknown_word(): looks for the word of a command line that is no command, or no option, and names the nearest one that
// is. No I/O.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace farshore::program {

// `words`: without the program's name. Empty: every word up to the first command that has no commands of its own is
// known, and so are the options.
std::string unknown_word(const CLI::App& program, const std::vector<std::string>& words);

}  // namespace farshore::program
