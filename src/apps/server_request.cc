#include "apps/server_request.h"

#include "apps/duration.h"

#include <CLI/CLI.hpp>

namespace trellis::apps {
namespace {

using Command = ServerRequest::Command;

constexpr const char* kExitStatus =
    "\nExit status: 0 done, 1 could not be done, 2 wrong command line.\n";

CLI::App* add_command(CLI::App& parent, const char* name, const char* description,
                      const char* example) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->footer(std::string("\nExample: ") + example + kExitStatus);
  return command;
}

/// A command that asks the server, with what all of those have.
CLI::App* add_question(CLI::App& parent, ServerRequest& request, Command value, const char* name,
                       const char* description, const char* example) {
  CLI::App* command = add_command(parent, name, description, example);
  command->add_flag_callback(
      "--json", [&request] { request.form = Form::Json; }, "Print JSON, for programs");
  command->add_option("--socket", request.socket, "Control socket of trellis-server")
      ->type_name("FILE")
      ->capture_default_str();
  command->callback([&request, value] { request.command = value; });
  return command;
}

void add_create(CLI::App& keys, ServerRequest& request) {
  CLI::App* create =
      add_question(keys, request, Command::SetupKeyCreate, "create",
                   "Make a setup key and print the command that joins a machine with it",
                   "trellis server setup-key create --expires 24h");
  create->add_option("--name", request.name, "What it is for, in lists")->type_name("NAME");
  CLI::Option* reusable =
      create->add_flag("--reusable", request.reusable, "For any number of machines, not for one");
  create->add_option("--limit", request.limit, "For that many machines at most")
      ->type_name("N")
      ->check(CLI::Range(1U, 1'000'000U))
      ->needs(reusable);
  create
      ->add_option_function<std::string>(
          "--expires",
          [&request](const std::string& text) {
            // The check below came first.
            if (const auto seconds = parse_seconds(text)) request.expires_seconds = *seconds;
          },
          "Good for so long: 90s, 30m, 24h, 7d, 2w; else without end")
      ->type_name("TIME")
      ->check([](const std::string& text) {
        const auto seconds = parse_seconds(text);
        return seconds ? std::string() : seconds.error().message;
      });
  create->add_flag("--ephemeral", request.ephemeral,
                   "Machines that join with it are removed when they are away for ten minutes");
}

void add_setup_keys(CLI::App& server, ServerRequest& request) {
  CLI::App* keys =
      add_command(server, "setup-key", "Make, list and revoke the keys that admit machines",
                  "trellis server setup-key create");
  keys->require_subcommand(1);
  add_create(*keys, request);
  add_question(*keys, request, Command::SetupKeyList, "list", "List the setup keys",
               "trellis server setup-key list --json");
  add_question(*keys, request, Command::SetupKeyRevoke, "revoke",
               "Admit nobody else with a setup key; who joined with it stays",
               "trellis server setup-key revoke 5f2c")
      ->add_option("ID", request.id, "Its id, of the list")
      ->type_name("")
      ->required();
}

CLI::App* add_peer_question(CLI::App& peers, ServerRequest& request, Command value,
                            const char* name, const char* description, const char* example) {
  CLI::App* command = add_question(peers, request, value, name, description, example);
  command->add_option("PEER", request.peer, "Its name")->type_name("")->required();
  return command;
}

void add_peers(CLI::App& server, ServerRequest& request) {
  CLI::App* peers =
      add_command(server, "peer", "List, remove and rename the machines of the network",
                  "trellis server peer list");
  peers->require_subcommand(1);
  add_question(*peers, request, Command::PeerList, "list", "List the machines of the network",
               "trellis server peer list --json");
  add_peer_question(*peers, request, Command::PeerRemove, "remove",
                    "Take a machine out of the network at once", "trellis server peer remove bob");
  add_peer_question(*peers, request, Command::PeerRename, "rename", "Give a machine another name",
                    "trellis server peer rename bob printer")
      ->add_option("NEW", request.new_name, "Its new name")
      ->type_name("")
      ->required();
  add_peer_question(*peers, request, Command::PeerTrust, "trust",
                    "Let a machine log in with another Rosenpass key than the one it came with",
                    "trellis server peer trust bob");
}

}  // namespace

void add_server_commands(CLI::App& server, ServerRequest& request) {
  server.require_subcommand(1);
  server.footer(std::string("\nExample: trellis server setup-key create --expires 24h") +
                kExitStatus);
  add_question(server, request, Command::Status, "status", "Show what trellis-server does",
               "trellis server status");
  add_setup_keys(server, request);
  add_peers(server, request);
}

}  // namespace trellis::apps
