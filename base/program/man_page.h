// man_page(): the page of a program in troff, section 1, made from the same table that the program parses its arguments
// with. No I/O.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace farshore::program {

std::string man_page(const CLI::App& program);

}  // namespace farshore::program
