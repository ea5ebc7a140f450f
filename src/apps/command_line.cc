#include "apps/command_line.h"

#include "apps/humanise.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace trellis::apps {
namespace {

const CLI::App* find_command(const CLI::App& app, const std::string& word) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == word) return command;
  }
  return nullptr;
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::size_t positionals_of(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return option->get_positional(); }).size();
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

/// "trellis keys new".
std::string path_of(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : path_of(*parent) + " " + app.get_name();
}

tl::unexpected<Error> unknown(const CLI::App& app, const char* kind, const std::string& word,
                              const std::vector<std::string>& known) {
  const std::string meant = nearest(word, known);
  return fail_with(fmt::format("there is no {} \"{}\"{}; see `{} --help`", kind, word,
                               meant.empty() ? "" : fmt::format(": did you mean \"{}\"?", meant),
                               path_of(app)));
}

/// The command of commands that was being parsed.
const CLI::App& deepest(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : deepest(*parsed.back());
}

/// "--state=DIR" → "--state", "-fx" → "-f".
std::string name_of_option(const std::string& word) {
  return word.starts_with("--") ? word.substr(0, word.find('=')) : word.substr(0, 2);
}

}  // namespace

Result<> check_words(const CLI::App& root, const std::vector<std::string>& words) {
  const CLI::App* app = &root;
  std::size_t positionals = 0;
  bool options_ended = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!options_ended && word == "--") {
      options_ended = true;
    } else if (!options_ended && word.size() > 1 && word.front() == '-') {
      const std::string name = name_of_option(word);
      const CLI::Option* option = app->get_option_no_throw(name);
      if (option == nullptr) return unknown(*app, "option", name, options_of(*app));
      const bool has_value_inside = word.size() > name.size();
      if (option->get_items_expected_max() > 0 && !has_value_inside) ++i;
    } else if (const CLI::App* command = find_command(*app, word)) {
      app = command;
      positionals = 0;
    } else if (++positionals > positionals_of(*app)) {
      const auto commands = commands_of(*app);
      if (!commands.empty()) return unknown(*app, "command", word, commands);
      return fail_with(
          fmt::format("\"{}\" is one word too many; see `{} --help`", word, path_of(*app)));
    }
  }
  return {};
}

std::optional<int> parse_command_line(CLI::App& app, int argc, const char* const* argv) {
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (const auto checked = check_words(app, words); !checked) {
    std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), checked.error().message.c_str());
    return kExitUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "%s: %s; see `%s --help`\n", app.get_name().c_str(), error.what(),
                 path_of(deepest(app)).c_str());
    return kExitUsage;
  }
  return std::nullopt;
}

}  // namespace trellis::apps
