#include "apps/trellis_command_line.h"

#include <CLI/CLI.hpp>

namespace trellis::apps {
namespace {

using Command = TrellisRequest::Command;

constexpr const char* kExitStatus =
    "\nExit status: 0 done, 1 could not be done, 2 wrong command line.\n";

CLI::App* add_command(CLI::App& parent, const char* name, const char* description,
                      const char* example) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->footer(std::string("\nExample: ") + example + kExitStatus);
  return command;
}

void selects(CLI::App* command, TrellisRequest& request, Command value) {
  // Before the callbacks of its own commands, which know better.
  command->preparse_callback([&request, value](std::size_t) { request.command = value; });
}

void add_state(CLI::App* command, TrellisRequest& request) {
  command->add_option("--state", request.state_folder, "Folder of keys and state")
      ->type_name("DIR")
      ->capture_default_str();
}

void add_socket(CLI::App* command, TrellisRequest& request) {
  command->add_option("--socket", request.socket, "Control socket of trellisd")
      ->type_name("FILE")
      ->capture_default_str();
}

void add_json(CLI::App* command, TrellisRequest& request) {
  command->add_flag_callback(
      "--json", [&request] { request.form = Form::Json; }, "Print JSON, for programs");
}

void add_up_options(CLI::App* up, MeshRequest& mesh) {
  up->add_option("--server", mesh.server,
                 "The server, as `trellis server setup-key create` prints it: "
                 "https://HOST[:PORT]#sha256:HEX; without it: the one joined before")
      ->type_name("URL");
  CLI::Option* file = up->add_option("--setup-key-file", mesh.setup_key_file,
                                     "File of the setup key; - is standard input. Else "
                                     "TRELLIS_SETUP_KEY of the environment is taken")
                          ->type_name("FILE");
  up->add_option("--setup-key", mesh.setup_key,
                 "The setup key itself; others can read it here, so better use a file")
      ->type_name("KEY")
      ->excludes(file);
  up->add_option("--hostname", mesh.host_name, "Name in the network; else that of this host")
      ->type_name("NAME");
  CLI::Option* strict = up->add_flag_callback(
      "--strict", [&mesh] { mesh.mode = "strict"; },
      "Talk only to peers with a post-quantum key (the default)");
  up->add_flag_callback(
        "--permissive", [&mesh] { mesh.mode = "permissive"; },
        "Also talk to peers that have none, and mark them")
      ->excludes(strict);
  up->add_option("--timeout", mesh.timeout_seconds, "Seconds to wait until the network is up")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
}

void add_network(CLI::App& app, TrellisRequest& request) {
  CLI::App* up =
      add_command(app, "up", "Join the network of a server, or go up again; starts trellisd; root",
                  "trellis up --server https://vpn.example#sha256:... --setup-key-file setup.key");
  add_up_options(up, request.mesh);
  add_json(up, request);
  add_state(up, request);
  add_socket(up, request);
  selects(up, request, Command::Up);
  CLI::App* down = add_command(app, "down", "Close the tunnel; `trellis up` opens it again; root",
                               "trellis down");
  add_socket(down, request);
  selects(down, request, Command::Down);
  CLI::App* logout = add_command(
      app, "logout", "Leave the network: the server forgets this host; root", "trellis logout");
  logout->add_flag("--force", request.mesh.force, "Also if the server cannot be reached");
  add_socket(logout, request);
  selects(logout, request, Command::Logout);
}

void add_ping(CLI::App& app, TrellisRequest& request) {
  MeshRequest& mesh = request.mesh;
  CLI::App* ping = add_command(
      app, "ping", "Ping a peer through the tunnel; shows the path and how it is protected",
      "trellis ping bob");
  ping->add_option("NAME", mesh.peer, "Name or address of the peer")->type_name("")->required();
  ping->add_option("-c,--count", mesh.count, "How many pings")
      ->type_name("N")
      ->check(CLI::Range(1u, 65535u))
      ->capture_default_str();
  ping->add_option("-i,--interval", mesh.interval_seconds, "Seconds between two pings")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  ping->add_flag("-6", mesh.v6, "Ping its IPv6 address");
  add_json(ping, request);
  add_socket(ping, request);
  selects(ping, request, Command::Ping);
}

void add_keys(CLI::App& app, TrellisRequest& request) {
  CLI::App* keys = add_command(app, "keys", "Make and show the keys of this host",
                               "trellis keys new && trellis keys show");
  keys->require_subcommand(1);
  CLI::App* make = add_command(
      *keys, "new", "Make the keys, once; existing ones are never replaced", "trellis keys new");
  add_state(make, request);
  selects(make, request, Command::KeysNew);
  CLI::App* show = add_command(*keys, "show", "Show the public keys, and a block for peers.toml",
                               "trellis keys show --json");
  add_state(show, request);
  add_json(show, request);
  selects(show, request, Command::KeysShow);
  CLI::App* copy = add_command(*keys, "export", "Copy the Rosenpass public key to a file",
                               "trellis keys export --rosenpass-public alice.rosenpass.pub");
  copy->add_option("--rosenpass-public", request.target, "Where to; - is standard output")
      ->type_name("FILE")
      ->required();
  add_state(copy, request);
  selects(copy, request, Command::KeysExport);
}

void add_peers(CLI::App& app, TrellisRequest& request) {
  CLI::App* peers = add_command(app, "peers", "List the peers in short", "trellis peers");
  add_json(peers, request);
  add_socket(peers, request);
  selects(peers, request, Command::Peers);
  CLI::App* trust = add_command(
      *peers, "trust", "Accept the listed keys of a peer in place of the pinned ones; root",
      "trellis peers trust bob");
  trust->add_option("NAME", request.peer, "Name of the peer")->type_name("")->required();
  add_socket(trust, request);
  selects(trust, request, Command::PeersTrust);
}

}  // namespace

std::unique_ptr<CLI::App> trellis_command_line(TrellisRequest& request) {
  auto app =
      std::make_unique<CLI::App>("Quantum-resistant mesh VPN: join a network, see who is there");
  app->name("trellis");
  app->require_subcommand(1);
  app->set_version_flag("--version", TRELLIS_VERSION, "Print the version");
  app->footer(
      std::string("\nExample: trellis up --server URL --setup-key-file FILE && trellis status") +
      kExitStatus + "`trellis COMMAND --help` tells more of each.\n");

  add_network(*app, request);
  CLI::App* status =
      add_command(*app, "status", "Show this host, its peers and how they are protected",
                  "trellis status --json");
  add_json(status, request);
  add_socket(status, request);
  selects(status, request, Command::Status);
  add_ping(*app, request);
  add_peers(*app, request);
  add_keys(*app, request);
  CLI::App* reload =
      add_command(*app, "reload", "Have trellisd read peers.toml again; root", "trellis reload");
  add_socket(reload, request);
  selects(reload, request, Command::Reload);
  CLI::App* server = add_command(*app, "server", "Administer a trellis-server on this host; root",
                                 "trellis server setup-key create");
  add_server_commands(*server, request.server);
  selects(server, request, Command::Server);
  CLI::App* completion =
      add_command(*app, "completion", "Print a completion script for a shell",
                  "trellis completion bash > /usr/share/bash-completion/completions/trellis");
  completion->add_option("SHELL", request.shell, "bash, zsh or fish")
      ->required()
      ->type_name("{bash,zsh,fish}")
      ->check([](const std::string& shell) {
        const bool known = shell == "bash" || shell == "zsh" || shell == "fish";
        return known ? std::string()
                     : "there is no script for \"" + shell + "\": use bash, zsh or fish";
      });
  selects(completion, request, Command::Completion);
  selects(add_command(*app, "version", "Print the version, and those of the libraries",
                      "trellis version"),
          request, Command::Version);
  return app;
}

}  // namespace trellis::apps
