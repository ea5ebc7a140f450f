// What people type. This file carries out what the command line (trellis_command_line.h) asks for.

#include "apps/command_line.h"
#include "apps/completion.h"
#include "apps/key_commands.h"
#include "apps/mesh_commands.h"
#include "apps/ping_command.h"
#include "apps/server_commands.h"
#include "apps/status_table.h"
#include "apps/trellis_command_line.h"
#include "base/time.h"
#include "crypto/libraries.h"
#include "system/ipc.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>

namespace trellis::apps {
namespace {

using Command = TrellisRequest::Command;

constexpr Duration kAnswerTime = 10s;

Result<std::string> ask(const TrellisRequest& request, const nlohmann::json& question) {
  return system::ipc_call(request.socket,
                          question.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                          kAnswerTime);
}

Result<std::string> status(const TrellisRequest& request) {
  return ask(request, {{"command", "status"}});
}

Result<> change(const TrellisRequest& request, const nlohmann::json& question) {
  const std::string answer = TRY(ask(request, question));
  return check_answer(answer);
}

Result<std::string> completion(const TrellisRequest& request) {
  TrellisRequest none;
  const auto app = trellis_command_line(none);
  if (request.shell == "bash") return completion_script(*app, Shell::Bash);
  if (request.shell == "zsh") return completion_script(*app, Shell::Zsh);
  return completion_script(*app, Shell::Fish);
}

std::string version() {
  const crypto::LibraryVersions libraries = crypto::library_versions();
  return fmt::format("trellis {}\nOpenSSL {}\nlibsodium {}\nlibmceliece {}\n", TRELLIS_VERSION,
                     libraries.openssl, libraries.sodium, libraries.mceliece);
}

/// What goes to standard output, unless the command prints by itself.
Result<std::string> carry_out(const TrellisRequest& request) {
  const bool json = request.form == Form::Json;
  const AgentPlace place{request.state_folder, request.socket};
  switch (request.command) {
    case Command::Up:
      return go_up(place, request.mesh, request.form);
    case Command::Down:
      return go_down(place);
    case Command::Logout:
      return log_out(place, request.mesh);
    case Command::Ping:
      TRY(ping_peer(request.socket, request.mesh, request.form));
      return {};
    case Command::KeysNew:
      TRY(make_keys(request.state_folder));
      return {};
    case Command::KeysShow:
      TRY(show_keys(request.state_folder, request.form));
      return {};
    case Command::KeysExport:
      TRY(export_rosenpass_public_key(request.state_folder, request.target));
      return {};
    case Command::Status: {
      const std::string answer = TRY(status(request));
      return json ? status_json(answer) : status_table(answer);
    }
    case Command::Peers: {
      const std::string answer = TRY(status(request));
      return json ? peers_json(answer) : peers_table(answer);
    }
    case Command::PeersTrust:
      TRY(change(request, {{"command", "trust"}, {"peer", request.peer}}));
      return fmt::format("the listed keys of {} are trusted\n", request.peer);
    case Command::Reload:
      TRY(change(request, {{"command", "reload"}}));
      return "peers.toml was read again\n";
    case Command::Server:
      return ask_server(request.server);
    case Command::Completion:
      return completion(request);
    case Command::Version:
      return version();
    case Command::None:
      break;
  }
  CHECK(false);
  return {};
}

int run(int argc, char** argv) {
  TrellisRequest request;
  const auto app = trellis_command_line(request);
  if (argc < 2) {
    std::fputs(app->help().c_str(), stderr);
    return kExitUsage;
  }
  if (const auto status = parse_command_line(*app, argc, argv)) return *status;
  const auto text = carry_out(request);
  if (!text) {
    std::fprintf(stderr, "trellis: %s\n", text.error().message.c_str());
    return kExitFailed;
  }
  std::fputs(text->c_str(), stdout);
  // A full disk or a closed pipe must not read as success.
  if (std::fflush(stdout) != 0) {
    std::fputs("trellis: cannot write to standard output\n", stderr);
    return kExitFailed;
  }
  return kExitDone;
}

}  // namespace
}  // namespace trellis::apps

int main(int argc, char** argv) { return trellis::apps::run(argc, argv); }
