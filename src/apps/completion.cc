#include "apps/completion.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace trellis::apps {
namespace {

enum class Value { None, Word, Folder, File };

struct Option {
  std::vector<std::string> names;  // with dashes
  std::string description;
  Value value;
};

struct Command {
  std::string path;  // "" for the program, "keys new"
  std::string description;
  std::vector<std::pair<std::string, std::string>> commands;  // name and description
  std::vector<Option> options;
  std::vector<std::string> words;  // that may stand at its end
  bool files = false;              // may stand at its end
};

Value value_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return Value::None;
  const std::string type = option.get_type_name();
  if (type == "DIR") return Value::Folder;
  return type == "FILE" ? Value::File : Value::Word;
}

/// The words of "{bash,zsh,fish}".
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  std::vector<std::string> words;
  if (!type.starts_with('{') || !type.ends_with('}')) return words;
  std::size_t from = 1;
  while (from < type.size()) {
    const std::size_t to = std::min(type.find(',', from), type.size() - 1);
    words.push_back(type.substr(from, to - from));
    from = to + 1;
  }
  return words;
}

void collect(const CLI::App& app, const std::string& path, std::vector<Command>& commands) {
  Command command{path, app.get_description(), {}, {}, {}, false};
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      command.words = choices_of(*option);
      command.files = value_of(*option) == Value::File;
      continue;
    }
    Option entry{{}, option->get_description(), value_of(*option)};
    for (const auto& name : option->get_snames()) entry.names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) entry.names.push_back("--" + name);
    command.options.push_back(std::move(entry));
  }
  const auto children = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* child : children) {
    command.commands.emplace_back(child->get_name(), child->get_description());
  }
  commands.push_back(std::move(command));
  for (const CLI::App* child : children) {
    collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), commands);
  }
}

std::string joined(const std::vector<std::string>& words, const char* separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

/// All that may come next at a command, separated by spaces.
std::string candidates(const Command& command) {
  std::vector<std::string> words = command.words;
  for (const auto& [name, description] : command.commands) words.push_back(name);
  for (const Option& option : command.options) {
    words.insert(words.end(), option.names.begin(), option.names.end());
  }
  return joined(words, " ");
}

/// Names of all options that take a value of one of the kinds, as a shell's case pattern.
std::string options_with(const std::vector<Command>& commands, std::initializer_list<Value> kinds) {
  std::vector<std::string> names;
  for (const Command& command : commands) {
    for (const Option& option : command.options) {
      if (std::find(kinds.begin(), kinds.end(), option.value) == kinds.end()) continue;
      for (const std::string& name : option.names) {
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
      }
    }
  }
  return names.empty() ? "''" : joined(names, "|");
}

std::string paths_with_children(const std::vector<Command>& commands) {
  std::vector<std::string> paths;
  for (const Command& command : commands) {
    if (!command.path.empty()) paths.push_back("\"" + command.path + "\"");
  }
  return paths.empty() ? "''" : joined(paths, "|");
}

std::string bash_script(const std::string& program, const std::vector<Command>& commands) {
  std::string script = fmt::format(
      "# Completion of {0} for bash: put it into /usr/share/bash-completion/completions/{0}.\n"
      "# Made by `{0} completion bash`.\n"
      "_{0}() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}\n"
      "  local path= word i\n"
      "  COMPREPLY=()\n"
      "  case $previous in\n"
      "    {1}) compopt -o filenames; COMPREPLY=($(compgen -d -- \"$current\")); return ;;\n"
      "    {2}) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
      "    {3}) return ;;\n"
      "  esac\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=\"${{path:+$path }}${{COMP_WORDS[i]}}\"\n"
      "    case $word in\n"
      "      {4}) path=$word ;;\n"
      "    esac\n"
      "  done\n"
      "  case $path in\n",
      program, options_with(commands, {Value::Folder}), options_with(commands, {Value::File}),
      options_with(commands, {Value::Word}), paths_with_children(commands));
  for (const Command& command : commands) {
    script += fmt::format("    \"{}\") word=\"{}\" ;;\n", command.path, candidates(command));
  }
  return script + fmt::format(
                      "  esac\n"
                      "  COMPREPLY=($(compgen -W \"$word\" -- \"$current\"))\n"
                      "}}\n"
                      "complete -F _{0} {0}\n",
                      program);
}

/// Inside single quotes, where ':' separates a word from its description.
std::string zsh_quoted(const std::string& text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else if (c == ':') {
      quoted += "\\:";
    } else {
      quoted += c;
    }
  }
  return quoted;
}

std::string zsh_script(const std::string& program, const std::vector<Command>& commands) {
  std::string script = fmt::format(
      "#compdef {0}\n"
      "# Completion of {0} for zsh: put it into a folder of $fpath as _{0}.\n"
      "# Made by `{0} completion zsh`.\n"
      "_{0}() {{\n"
      "  local trellis_path= word i\n"
      "  local -a candidates\n"
      "  case $words[CURRENT-1] in\n"
      "    {1}) _files -/; return ;;\n"
      "    {2}) _files; return ;;\n"
      "    {3}) return ;;\n"
      "  esac\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    word=\"${{trellis_path:+$trellis_path }}$words[i]\"\n"
      "    case $word in\n"
      "      {4}) trellis_path=$word ;;\n"
      "    esac\n"
      "  done\n"
      "  case $trellis_path in\n",
      program, options_with(commands, {Value::Folder}), options_with(commands, {Value::File}),
      options_with(commands, {Value::Word}), paths_with_children(commands));
  for (const Command& command : commands) {
    script += fmt::format("    \"{}\") candidates=(\n", command.path);
    for (const auto& word : command.words) script += fmt::format("      '{}'\n", zsh_quoted(word));
    for (const auto& [name, description] : command.commands) {
      script += fmt::format("      '{}:{}'\n", zsh_quoted(name), zsh_quoted(description));
    }
    for (const Option& option : command.options) {
      for (const auto& name : option.names) {
        script += fmt::format("      '{}:{}'\n", zsh_quoted(name), zsh_quoted(option.description));
      }
    }
    script += "    ) ;;\n";
  }
  return script + fmt::format(
                      "  esac\n"
                      "  _describe -t commands {0} candidates\n"
                      "}}\n"
                      "_{0} \"$@\"\n",
                      program);
}

std::string fish_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

/// True at `command` and before any of its own commands.
std::string fish_condition(const Command& command) {
  std::string condition;
  std::size_t from = 0;
  while (from < command.path.size()) {
    const std::size_t to = std::min(command.path.find(' ', from), command.path.size());
    condition += "__fish_seen_subcommand_from " + command.path.substr(from, to - from) + "; and ";
    from = to + 1;
  }
  if (command.commands.empty()) return condition + "true";
  condition += "not __fish_seen_subcommand_from";
  for (const auto& [name, description] : command.commands) condition += " " + name;
  return condition;
}

std::string fish_script(const std::string& program, const std::vector<Command>& commands) {
  std::string script = fmt::format(
      "# Completion of {0} for fish: put it into /usr/share/fish/vendor_completions.d/{0}.fish.\n"
      "# Made by `{0} completion fish`.\n"
      "complete -c {0} -f\n",
      program);
  for (const Command& command : commands) {
    const std::string start =
        fmt::format("complete -c {} -n {}", program, fish_quoted(fish_condition(command)));
    for (const auto& word : command.words) script += start + " -a " + fish_quoted(word) + "\n";
    if (command.files) script += start + " -F\n";
    for (const auto& [name, description] : command.commands) {
      script += fmt::format("{} -a {} -d {}\n", start, name, fish_quoted(description));
    }
    for (const Option& option : command.options) {
      script += start;
      for (const auto& name : option.names) {
        script += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.value == Value::Folder) script += " -x -a '(__fish_complete_directories)'";
      if (option.value == Value::File) script += " -r -F";
      if (option.value == Value::Word) script += " -x";
      script += " -d " + fish_quoted(option.description) + "\n";
    }
  }
  return script;
}

}  // namespace

std::string completion_script(const CLI::App& app, Shell shell) {
  std::vector<Command> commands;
  collect(app, "", commands);
  switch (shell) {
    case Shell::Bash:
      return bash_script(app.get_name(), commands);
    case Shell::Zsh:
      return zsh_script(app.get_name(), commands);
    case Shell::Fish:
      return fish_script(app.get_name(), commands);
  }
  return {};
}

}  // namespace trellis::apps
