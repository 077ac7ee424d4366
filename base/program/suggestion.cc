#include "base/program/suggestion.h"

#include "base/nearest.h"
#include "base/program/command_tree.h"

namespace farshore::program {
namespace {

std::string did_you_mean(const std::string& what, const std::string& word, const std::vector<std::string>& known) {
  std::string text = "unknown " + what + " '" + word + "'; did you mean '";
  text += nearest(word, std::vector<std::string_view>(known.begin(), known.end()));
  text += "'? Known: ";
  for (size_t i = 0; i < known.size(); ++i) text += (i == 0 ? "" : ", ") + known[i];
  return text;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* each : commands_of(app)) names.push_back(each->get_name());
  return names;
}

// With those of the whole program, which may stand anywhere.
std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* at = &app; at; at = at->get_parent())
    for (const CLI::Option* option : at->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

const CLI::Option* find_option(const CLI::App& app, const std::string& name) {
  for (const CLI::App* at = &app; at; at = at->get_parent())
    if (const CLI::Option* option = at->get_option_no_throw(name)) return option;
  return nullptr;
}

}  // namespace

std::string unknown_word(const CLI::App& program, const std::vector<std::string>& words) {
  const CLI::App* at = &program;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.size() > 1 && word[0] == '-') {
      const size_t equals = word.find('=');
      const std::string name = word.substr(0, equals);
      const CLI::Option* option = find_option(*at, name);
      if (!option && word.starts_with("--")) return did_you_mean("option", name, option_names(*at));
      const bool takes_next = option && equals == std::string::npos && option->get_items_expected_max() > 0;
      if (takes_next) ++i;
    } else if (!commands_of(*at).empty()) {
      const CLI::App* next = find_command(*at, word);
      if (!next) return did_you_mean("command", word, command_names(*at));
      at = next;
    }
  }
  return std::string();
}

}  // namespace farshore::program
