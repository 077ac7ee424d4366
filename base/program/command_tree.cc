#include "base/program/command_tree.h"

#include <algorithm>

namespace farshore::program {
namespace {

// CLI11 describes a checked option as "TEXT:{human,json}", "FILE", "INT:INT in [1 - 3600]".
std::vector<std::string> choices_in(const std::string& type) {
  std::vector<std::string> choices;
  const size_t open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return choices;
  std::string word;
  for (size_t i = open + 1; i <= close; ++i) {
    if (i < close && type[i] != ',') {
      word += type[i];
    } else {
      choices.push_back(std::move(word));
      word.clear();
    }
  }
  return choices;
}

OptionView view(const CLI::Option& option) {
  OptionView out;
  for (const auto& name : option.get_lnames()) out.names.push_back("--" + name);
  for (const auto& name : option.get_snames()) out.names.push_back("-" + name);
  out.help = option.get_description();
  out.required = option.get_required();
  out.repeated = option.get_expected_max() > 1 && option.get_items_expected_max() > 1;
  if (out.names.empty()) out.value = option.get_name(true);
  if (option.get_items_expected_max() == 0) return out;
  const std::string type = option.get_type_name();
  out.choices = choices_in(type);
  if (!out.names.empty()) out.value = type.substr(0, type.find(':', type.starts_with("HOST:") ? 5 : 0));
  out.kind = !out.choices.empty()       ? ValueKind::kChoice
             : type.starts_with("FILE") ? ValueKind::kFile
             : type.starts_with("DIR")  ? ValueKind::kDirectory
                                        : ValueKind::kText;
  return out;
}

}  // namespace

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  auto all = app.get_subcommands([](const CLI::App*) { return true; });
  std::erase_if(all, [](const CLI::App* each) { return each->get_group().empty(); });
  return all;
}

const CLI::App* find_command(const CLI::App& app, const std::string& name) {
  for (const CLI::App* each : commands_of(app))
    if (each->get_name() == name) return each;
  return nullptr;
}

std::vector<OptionView> options_of(const CLI::App& app) {
  std::vector<OptionView> out;
  for (const CLI::Option* option : app.get_options())
    if (!option->get_group().empty()) out.push_back(view(*option));
  return out;
}

std::string path_of(const CLI::App& app) {
  return app.get_parent() ? path_of(*app.get_parent()) + " " + app.get_name() : app.get_name();
}

}  // namespace farshore::program
