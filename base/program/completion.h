// completion_script(): a script that completes commands, options and their values in a shell, made from the same table
// that the program parses its arguments with. It completes no names that only a running system knows. No I/O.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace farshore::program {

enum class Shell { kBash, kZsh, kFish };

std::string completion_script(const CLI::App& program, Shell shell);

}  // namespace farshore::program
