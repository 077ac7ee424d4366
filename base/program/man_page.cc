#include "base/program/man_page.h"

#include "base/program/build_info.h"
#include "base/program/command_tree.h"

namespace farshore::program {
namespace {

// Text as troff prints it: a line that begins with a dot or an apostrophe would be a request, and a minus is a hyphen.
std::string troff(std::string_view text) {
  std::string out;
  bool at_start = true;
  for (char c : text) {
    if (at_start && (c == '.' || c == '\'')) out += "\\&";
    at_start = c == '\n';
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string synopsis(const CLI::App& app, const std::vector<OptionView>& options) {
  std::string text = ".B " + troff(path_of(app)) + "\n";
  if (!commands_of(app).empty()) return text + ".I COMMAND\n[options]\n";
  for (const auto& option : options) {
    if (option.name() == "--help") continue;
    std::string word =
        option.names.empty() ? "\\fI" + troff(upper(option.value)) + "\\fR" : "\\fB" + troff(option.name()) + "\\fR";
    if (!option.names.empty() && option.kind != ValueKind::kNone) word += " \\fI" + troff(option.value) + "\\fR";
    if (option.repeated) word += " ...";
    text += (option.required ? word : "[" + word + "]") + "\n";
  }
  return text;
}

std::string described(const std::vector<OptionView>& options) {
  std::string text;
  for (const auto& option : options) {
    text += ".TP\n";
    std::string names;
    for (const auto& name : option.names) names += (names.empty() ? "" : ", ") + ("\\fB" + troff(name) + "\\fR");
    if (option.kind != ValueKind::kNone || option.names.empty())
      names += (names.empty() ? "" : " ") +
               ("\\fI" + troff(option.names.empty() ? upper(option.value) : option.value) + "\\fR");
    text += names + "\n" + troff(option.help);
    if (!option.choices.empty()) {
      text += option.help.empty() ? "One of: " : option.help.ends_with('.') ? " One of: " : ". One of: ";
      for (size_t i = 0; i < option.choices.size(); ++i) text += (i ? ", " : "") + troff(option.choices[i]);
      text += ".";
    }
    text += "\n";
  }
  return text;
}

void command_pages(const CLI::App& app, std::string& text) {
  for (const CLI::App* each : commands_of(app)) {
    const auto options = options_of(*each);
    text += ".SS " + troff(path_of(*each)) + "\n" + troff(each->get_description()) + "\n.PP\n";
    if (commands_of(*each).empty()) text += synopsis(*each, options) + described(options);
    if (!each->get_footer().empty()) text += ".PP\n.nf\n" + troff(each->get_footer()) + "\n.fi\n";
    command_pages(*each, text);
  }
}

}  // namespace

std::string man_page(const CLI::App& program) {
  const auto options = options_of(program);
  std::string text = ".TH " + upper(troff(program.get_name())) + " 1 \"\" \"Farshore " +
                     std::string(build_info().version) + "\" \"Farshore\"\n";
  text += ".SH NAME\n" + troff(program.get_name()) + " \\- " + troff(program.get_description()) + "\n";
  text += ".SH SYNOPSIS\n" + synopsis(program, options);
  text += ".SH OPTIONS\n" + described(options);
  std::string commands;
  command_pages(program, commands);
  if (!commands.empty()) text += ".SH COMMANDS\n" + commands;
  if (!program.get_footer().empty()) text += ".SH NOTES\n.nf\n" + troff(program.get_footer()) + "\n.fi\n";
  return text;
}

}  // namespace farshore::program
