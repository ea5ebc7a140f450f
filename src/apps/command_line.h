#pragma once

#include "base/result.h"

#include <optional>
#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): the name of CLI11
class App;
}

namespace trellis::apps {

// Exit statuses of all programs.
constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;  // what was asked for could not be done; standard error says why
constexpr int kExitUsage = 2;   // the command line is wrong

/// Parses. Nothing: go on. Else the exit status: help, a version or what is wrong has been printed.
std::optional<int> parse_command_line(CLI::App& app, int argc, const char* const* argv);

/// Finds the first word (without the program's name) that no command and no option has, and says
/// what may have been meant. Values and missing words are the parser's business.
Result<> check_words(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace trellis::apps
