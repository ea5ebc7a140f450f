// The server of a network. This file is its command line; the work is in server_host.h.

#include "apps/command_line.h"
#include "apps/server/public_address.h"
#include "apps/server/server_host.h"
#include "base/log.h"
#include "system/daemonise.h"
#include "system/hardening.h"
#include "system/limits.h"
#include "system/log_sink.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <filesystem>

namespace trellis::apps {
namespace {

struct CommandLine {
  ServerHost::Options server;
  std::vector<std::string> listen;
  std::string log_level = "info";
  bool foreground = false;
  bool check = false;
};

int report(const Error& error) {
  std::fprintf(stderr, "trellis-server: %s\n", error.message.c_str());
  return kExitFailed;
}

int check(const ServerHost::Options& options) {
  if (const auto checked = ServerHost::check(options); !checked) return report(checked.error());
  std::puts("options and certificate are in order");
  return kExitDone;
}

int run(const CommandLine& line, std::optional<system::Daemon> daemon) {
  // Not before the fork: a child does not inherit locks of memory.
  for (const std::string& missing : system::harden_process()) {
    LOG(warn, "server", "{}", missing);
  }
  system::raise_descriptor_limit();
  auto loop = system::Loop::create();
  if (!loop) return report(loop.error());
  ServerHost* running = nullptr;
  auto signals = (*loop)->on_signals({SIGTERM, SIGINT, SIGHUP}, [&](int signal) {
    if (!running) return (*loop)->stop();
    if (signal == SIGHUP) return running->reload_certificate();
    running->drain([&] { (*loop)->stop(); });
  });
  if (!signals) return report(signals.error());
  auto server = ServerHost::create(**loop, line.server);
  if (!server) return report(server.error());
  running = server->get();
  for (const Endpoint& endpoint : running->listening()) {
    LOG(info, "server", "listening on {}", endpoint.to_string());
  }
  LOG(info, "server", "running version={} server={}", TRELLIS_VERSION, running->join_url());
  if (daemon) daemon->ready(system::Daemon::Errors::Keep);
  (*loop)->run();
  running = nullptr;
  server->reset();
  LOG(info, "server", "stopped");
  return kExitDone;
}

void add_options(CLI::App& app, CommandLine& line) {
  app.add_option("--state", line.server.state_folder, "Folder of the database, keys, certificate")
      ->capture_default_str()
      ->type_name("DIR");
  app.add_option("--listen", line.listen,
                 "Where to listen; :443 is all addresses; may be given several times")
      ->type_name("ADDRESS:PORT");
  app.add_option("--public", line.server.public_name,
                 "What agents reach the server by; else an address of this host")
      ->type_name("HOST[:PORT]");
  CLI::Option* certificate =
      app.add_option("--cert", line.server.certificate_file,
                     "Certificate and chain, PEM; else one that is made at the first start")
          ->type_name("FILE");
  app.add_option("--key", line.server.key_file, "Its private key, PEM")
      ->type_name("FILE")
      ->needs(certificate);
  app.add_flag("--plain-http", line.server.plain, "No TLS: on loopback only, behind a proxy");
  app.add_option("--socket", line.server.control_socket, "Control socket, for `trellis server`")
      ->capture_default_str()
      ->type_name("PATH");
  app.add_option("--log-level", line.log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str()
      ->type_name("LEVEL");
  app.add_flag("--foreground", line.foreground,
               "Stay in the foreground (else go to the background)");
  app.add_flag("--check", line.check, "Check the options and the certificate, and do nothing else");
}

/// In the background the working folder is another one.
void make_absolute(ServerHost::Options& options) {
  for (std::string* path : {&options.state_folder, &options.control_socket,
                            &options.certificate_file, &options.key_file}) {
    if (!path->empty()) *path = std::filesystem::absolute(*path).string();
  }
}

Result<> read_listen(CommandLine& line) {
  if (line.listen.empty()) line.listen = {line.server.plain ? "127.0.0.1:8080" : ":443"};
  for (const std::string& text : line.listen) {
    for (const Endpoint& endpoint : TRY(parse_listen(text))) {
      if (endpoint.address.is_v6() && !system::host_has_v6()) continue;
      line.server.listen.push_back(endpoint);
    }
  }
  return {};
}

}  // namespace
}  // namespace trellis::apps

int main(int argc, char** argv) {
  using namespace trellis;
  apps::CommandLine line;
  line.server.state_folder = "/var/lib/trellis-server";
  line.server.control_socket = "/run/trellis-server/server.sock";
  CLI::App app{
      "trellis-server: lets the machines of a quantum-resistant mesh VPN find each other\n\n"
      "  trellis-server --public vpn.example.org && trellis server setup-key create"};
  app.name("trellis-server");
  apps::add_options(app, line);
  app.set_version_flag("--version", TRELLIS_VERSION);
  app.footer(
      "Exit status: 0 after a clean stop, 1 for anything that is wrong, 2 for a wrong option.");
  if (const auto status = apps::parse_command_line(app, argc, argv)) return *status;
  log::Level level{};
  if (!log::parse_level(line.log_level, level)) {
    std::fprintf(stderr,
                 "trellis-server: --log-level %s: use trace, debug, info, warn, error or off\n",
                 line.log_level.c_str());
    return apps::kExitUsage;
  }
  if (const auto read = apps::read_listen(line); !read) {
    std::fprintf(stderr, "trellis-server: %s\n", read.error().message.c_str());
    return apps::kExitUsage;
  }
  apps::make_absolute(line.server);
  system::start_logging(level);
  if (line.check) return apps::check(line.server);
  std::optional<system::Daemon> daemon;
  if (!line.foreground) {
    auto started = system::Daemon::start();
    if (!started) return apps::report(started.error());
    daemon = *std::move(started);
  }
  return apps::run(line, std::move(daemon));
}
