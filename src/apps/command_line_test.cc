#include "apps/command_line.h"

#include "apps/completion.h"
#include "apps/trellis_command_line.h"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace trellis::apps {
namespace {

std::string complaint(const std::vector<std::string>& words) {
  TrellisRequest request;
  const auto app = trellis_command_line(request);
  const auto checked = check_words(*app, words);
  return checked ? "" : checked.error().message;
}

TEST(CommandLine, FindsTheFirstWordThatNothingKnowsAndSuggestsWhatWasMeant) {
  struct Case {
    std::vector<std::string> words;
    std::string complaint;
  };
  const Case cases[] = {
      {{"status", "--json"}, ""},
      {{"staus"}, R"(there is no command "staus": did you mean "status"?; see `trellis --help`)"},
      {{"restart"}, R"(there is no command "restart"; see `trellis --help`)"},
      {{"keys", "nwe"},
       R"(there is no command "nwe": did you mean "new"?; see `trellis keys --help`)"},
      {{"keys", "new", "--force"},
       R"(there is no option "--force"; see `trellis keys new --help`)"},
      {{"keys", "new", "--sate=x"},
       R"(there is no option "--sate": did you mean "--state"?; see `trellis keys new --help`)"},
      {{"keys", "new", "--state", "--sate"}, ""},  // a value may look like anything
      {{"keys", "new", "--state=x", "y"},
       R"("y" is one word too many; see `trellis keys new --help`)"},
      {{"peers", "trust", "bob"}, ""},
      {{"peers", "trust", "status"}, ""},
      {{"peers", "trust", "bob", "carol"},
       R"("carol" is one word too many; see `trellis peers trust --help`)"},
      {{"status", "-x"}, R"(there is no option "-x"; see `trellis status --help`)"},
      {{"peers", "trust", "--", "-bob"}, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.complaint);
    EXPECT_EQ(complaint(c.words), c.complaint);
  }
}

TEST(CommandLine, ParsesEachCommandIntoItsRequest) {
  using Command = TrellisRequest::Command;
  struct Case {
    std::vector<const char*> words;
    Command command;
  };
  const Case cases[] = {
      {{"trellis", "up", "--server", "https://x", "--setup-key-file", "-"}, Command::Up},
      {{"trellis", "up"}, Command::Up},
      {{"trellis", "down"}, Command::Down},
      {{"trellis", "logout", "--force"}, Command::Logout},
      {{"trellis", "ping", "bob", "-c", "3"}, Command::Ping},
      {{"trellis", "keys", "new"}, Command::KeysNew},
      {{"trellis", "keys", "show", "--json"}, Command::KeysShow},
      {{"trellis", "keys", "export", "--rosenpass-public", "-"}, Command::KeysExport},
      {{"trellis", "status", "--socket", "s"}, Command::Status},
      {{"trellis", "peers"}, Command::Peers},
      {{"trellis", "peers", "--json"}, Command::Peers},
      {{"trellis", "peers", "trust", "bob", "--socket", "s"}, Command::PeersTrust},
      {{"trellis", "reload"}, Command::Reload},
      {{"trellis", "completion", "fish"}, Command::Completion},
      {{"trellis", "version"}, Command::Version},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.words.back());
    TrellisRequest request;
    const auto app = trellis_command_line(request);
    EXPECT_EQ(parse_command_line(*app, static_cast<int>(c.words.size()), c.words.data()),
              std::nullopt);
    EXPECT_EQ(request.command, c.command);
  }
}

TEST(CommandLine, TakesWhatUpAndPingAreTold) {
  TrellisRequest request;
  const auto app = trellis_command_line(request);
  const std::vector<const char*> up = {
      "trellis",          "up",  "--server",     "https://h#sha256:00",
      "--setup-key-file", "f",   "--hostname",   "n",
      "--timeout",        "2.5", "--permissive", "--json",
      "--state",          "d",   "--socket",     "s"};
  ASSERT_EQ(parse_command_line(*app, static_cast<int>(up.size()), up.data()), std::nullopt);
  EXPECT_EQ(request.mesh.server, "https://h#sha256:00");
  EXPECT_EQ(request.mesh.setup_key_file, "f");
  EXPECT_EQ(request.mesh.host_name, "n");
  EXPECT_EQ(request.mesh.timeout_seconds, 2.5);
  EXPECT_EQ(request.mesh.mode, "permissive");
  EXPECT_EQ(request.form, Form::Json);
  EXPECT_EQ(request.state_folder, "d");
  EXPECT_EQ(request.socket, "s");

  TrellisRequest second;
  const auto other = trellis_command_line(second);
  const std::vector<const char*> ping = {"trellis", "ping", "-6", "-c", "7", "-i", "0.01", "bob"};
  ASSERT_EQ(parse_command_line(*other, static_cast<int>(ping.size()), ping.data()), std::nullopt);
  EXPECT_EQ(second.mesh.peer, "bob");
  EXPECT_EQ(second.mesh.count, 7u);
  EXPECT_EQ(second.mesh.interval_seconds, 0.01);
  EXPECT_TRUE(second.mesh.v6);
  EXPECT_EQ(second.mesh.mode, std::nullopt);  // as it was, unless told otherwise
}

TEST(CommandLine, EndsWithTheStatusOfAWrongUse) {
  const std::vector<std::vector<const char*>> wrong = {
      {"trellis", "keys"},
      {"trellis", "keys", "export"},
      {"trellis", "peers", "trust"},
      {"trellis", "ping"},
      {"trellis", "ping", "bob", "-c", "0"},
      {"trellis", "up", "--timeout", "-1"},
      {"trellis", "up", "--strict", "--permissive"},
      {"trellis", "up", "--setup-key", "k", "--setup-key-file", "f"},
      {"trellis", "completion", "ksh"},
      {"trellis", "status", "--socket"}};
  for (const auto& words : wrong) {
    SCOPED_TRACE(words.back());
    TrellisRequest request;
    const auto app = trellis_command_line(request);
    EXPECT_EQ(parse_command_line(*app, static_cast<int>(words.size()), words.data()), kExitUsage);
  }
}

std::string content_of(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// What is packaged is what the program prints: `trellis completion SHELL > FILE` brings it up to
// date.
TEST(Completion, TheFilesInTheTreeAreThoseOfThisCommandLine) {
  TrellisRequest request;
  const auto app = trellis_command_line(request);
  EXPECT_EQ(completion_script(*app, Shell::Bash), content_of("completions/trellis.bash"));
  EXPECT_EQ(completion_script(*app, Shell::Zsh), content_of("completions/_trellis"));
  EXPECT_EQ(completion_script(*app, Shell::Fish), content_of("completions/trellis.fish"));
}

}  // namespace
}  // namespace trellis::apps
