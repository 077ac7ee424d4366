#include "base/program/completion.h"

#include <functional>

#include "base/program/command_tree.h"

namespace farshore::program {
namespace {

std::string identifier(std::string name) {  // of a shell function
  for (char& c : name)
    if (c == '-' || c == ' ') c = '_';
  return "_" + name;
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

void visit(const CLI::App& app, const std::function<void(const CLI::App&)>& look) {
  look(app);
  for (const CLI::App* each : commands_of(app)) visit(*each, look);
}

// Options of the command and of those above it: these may stand anywhere.
std::vector<OptionView> options_at(const CLI::App& app) {
  std::vector<OptionView> out;
  for (const CLI::App* at = &app; at; at = at->get_parent())
    for (auto& option : options_of(*at)) {
      bool known = option.names.empty();
      for (const auto& other : out) known |= !known && other.name() == option.name();
      if (!known) out.push_back(std::move(option));
    }
  return out;
}

// Lines of a case statement, "path command) path=...", which follow the words of the line down the tree.
std::string descent(const CLI::App& program) {
  std::string text;
  visit(program, [&](const CLI::App& at) {
    for (const CLI::App* each : commands_of(at)) {
      const std::string path = path_of(*each);
      text += "      " + quoted(path) + ") path=" + quoted(path) + " ;;\n";
    }
  });
  return text;
}

std::string bash_values(const OptionView& option) {
  switch (option.kind) {
    case ValueKind::kChoice:
      return "COMPREPLY=($(compgen -W " + quoted(joined(option.choices)) + " -- \"$word\")); return";
    case ValueKind::kFile:
      return "COMPREPLY=($(compgen -f -- \"$word\")); return";
    case ValueKind::kDirectory:
      return "COMPREPLY=($(compgen -d -- \"$word\")); return";
    default:
      return "return";  // a value that only the user knows
  }
}

std::string bash(const CLI::App& program) {
  const std::string function = identifier(program.get_name());
  std::string text =
      "# bash completion of " + program.get_name() + "\n" + function + "() {\n" +
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path=" + quoted(program.get_name()) +
      " i\n" +
      "  COMPREPLY=()\n  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    case \"$path ${COMP_WORDS[i]}\" in\n" +
      descent(program) + "    esac\n  done\n  case \"$path $before\" in\n";
  visit(program, [&](const CLI::App& at) {
    for (const auto& option : options_at(at))
      if (option.kind != ValueKind::kNone)
        for (const auto& name : option.names)
          text += "    " + quoted(path_of(at) + " " + name) + ") " + bash_values(option) + " ;;\n";
  });
  text += "  esac\n  case \"$path\" in\n";
  visit(program, [&](const CLI::App& at) {
    std::vector<std::string> words;
    for (const CLI::App* each : commands_of(at)) words.push_back(each->get_name());
    for (const auto& option : options_at(at)) words.push_back(option.name());
    text +=
        "    " + quoted(path_of(at)) + ") COMPREPLY=($(compgen -W " + quoted(joined(words)) + " -- \"$word\")) ;;\n";
  });
  return text + "  esac\n}\ncomplete -F " + function + " " + program.get_name() + "\n";
}

std::string zsh_word(const std::string& name, const std::string& help) {
  std::string text;
  for (char c : name) text += c == ':' ? std::string("\\:") : std::string(1, c);
  return quoted(text + ":" + help.substr(0, help.find('\n')));
}

std::string zsh_values(const OptionView& option) {
  switch (option.kind) {
    case ValueKind::kChoice:
      return "compadd -- " + joined(option.choices) + "; return";
    case ValueKind::kFile:
      return "_files; return";
    case ValueKind::kDirectory:
      return "_files -/; return";
    default:
      return "return";
  }
}

std::string zsh(const CLI::App& program) {
  const std::string function = identifier(program.get_name());
  std::string text = "#compdef " + program.get_name() + "\n" + function +
                     "() {\n  local path_=" + quoted(program.get_name()) + " i\n  local -a found\n" +
                     "  for ((i = 2; i < CURRENT; ++i)); do\n    case \"$path_ ${words[i]}\" in\n";
  std::string down = descent(program);
  for (size_t at = 0; (at = down.find(") path=", at)) != std::string::npos; at += 8) down.replace(at, 7, ") path_=");
  text += down + "    esac\n  done\n  case \"$path_ ${words[CURRENT-1]}\" in\n";
  visit(program, [&](const CLI::App& at) {
    for (const auto& option : options_at(at))
      if (option.kind != ValueKind::kNone)
        for (const auto& name : option.names)
          text += "    " + quoted(path_of(at) + " " + name) + ") " + zsh_values(option) + " ;;\n";
  });
  text += "  esac\n  case \"$path_\" in\n";
  visit(program, [&](const CLI::App& at) {
    text += "    " + quoted(path_of(at)) + ") found=(";
    for (const CLI::App* each : commands_of(at)) text += zsh_word(each->get_name(), each->get_description()) + " ";
    for (const auto& option : options_at(at)) text += zsh_word(option.name(), option.help) + " ";
    text += ") ;;\n";
  });
  return text + "  esac\n  _describe " + quoted(program.get_name()) + " found\n}\n" +
         "if [ \"$funcstack[1]\" = " + quoted(function) + " ]; then " + function + " \"$@\"; else compdef " + function +
         " " + program.get_name() + "; fi\n";
}

// The words before the cursor decide: those of the path have been seen, and none of its own commands.
std::string fish_condition(const CLI::App& at) {
  std::string text;
  for (const CLI::App* each = &at; each->get_parent(); each = each->get_parent())
    text = "__fish_seen_subcommand_from " + each->get_name() + (text.empty() ? "" : "; and ") + text;
  std::vector<std::string> below;
  for (const CLI::App* each : commands_of(at)) below.push_back(each->get_name());
  if (!below.empty())
    text += (text.empty() ? "" : "; and ") + std::string("not __fish_seen_subcommand_from ") + joined(below);
  return text;
}

std::string fish(const CLI::App& program) {
  const std::string begin = "complete -c " + program.get_name();
  std::string text = "# fish completion of " + program.get_name() + "\n" + begin + " -f\n";
  visit(program, [&](const CLI::App& at) {
    const std::string condition = fish_condition(at);
    const std::string here = begin + (condition.empty() ? "" : " -n " + quoted(condition));
    for (const CLI::App* each : commands_of(at))
      text += here + " -a " + each->get_name() + " -d " + quoted(each->get_description()) + "\n";
    // Those of the program may stand anywhere.
    for (const auto& option : options_of(at)) {
      if (option.names.empty()) continue;
      text += at.get_parent() ? here : begin;
      for (const auto& name : option.names)
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      const bool names_a_file = option.kind == ValueKind::kFile || option.kind == ValueKind::kDirectory;
      if (option.kind != ValueKind::kNone) text += names_a_file ? " -r -F" : " -x";
      if (option.kind == ValueKind::kChoice) text += " -a " + quoted(joined(option.choices));
      text += " -d " + quoted(option.help) + "\n";
    }
  });
  return text;
}

}  // namespace

std::string completion_script(const CLI::App& program, Shell shell) {
  switch (shell) {
    case Shell::kBash:
      return bash(program);
    case Shell::kZsh:
      return zsh(program);
    case Shell::kFish:
      return fish(program);
  }
  return std::string();
}

}  // namespace farshore::program
