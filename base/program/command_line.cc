#include "base/program/command_line.h"

#include <iostream>

#include "base/program/build_info.h"
#include "base/program/completion.h"
#include "base/program/man_page.h"
#include "base/program/suggestion.h"

namespace farshore::program {
namespace {

Shell shell_of(const std::string& name) {
  return name == "bash" ? Shell::kBash : name == "zsh" ? Shell::kZsh : Shell::kFish;
}

// Thrown as the text of a version is: CLI11 then prints it and asks for no command.
CLI::Option* add_shell(CLI::App& program, CLI::App& at, const std::string& name, const std::string& help) {
  return at
      .add_option_function<std::string>(
          name,
          [&program](const std::string& shell) {
            throw CLI::CallForVersion(completion_script(program, shell_of(shell)), 0);
          },
          help)
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

}  // namespace

void add_program_options(CLI::App& app, std::string speaks) {
  const std::string text = version_text(app.get_name(), speaks);
  app.set_version_flag("--version", text, "prints version, commit and the APIs that it speaks, and exits");
  add_shell(app, app, "--completion", "prints a completion script for this shell, and exits");
  app.add_flag_callback(
      "--man", [&app] { throw CLI::CallForVersion(man_page(app), 0); },
      "prints the man page, and exits: " + app.get_name() + " --man | man -l -");
}

void add_completion_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("completion", "prints a completion script: source <(farshore completion bash)");
  add_shell(app, *command, "shell", "bash, zsh or fish")->required();
}

std::optional<int> parse_command_line(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version and the like
    const std::string unknown = unknown_word(app, std::vector<std::string>(argv + 1, argv + argc));
    if (unknown.empty())
      app.exit(error);
    else
      std::cerr << app.get_name() << ": " << unknown << std::endl;
    return kWrongArguments;
  }
  return std::nullopt;
}

}  // namespace farshore::program
