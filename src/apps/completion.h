#pragma once

#include <string>

namespace CLI {  // NOLINT(readability-identifier-naming): the name of CLI11
class App;
}

namespace trellis::apps {

enum class Shell { Bash, Zsh, Fish };

/// A script that completes commands, options and files of a program, made from its command line.
/// An option or a word of the type DIR or FILE is completed with paths; one of the type {a,b} with
/// those words.
std::string completion_script(const CLI::App& app, Shell shell);

}  // namespace trellis::apps
