// The agent of one machine. This file is its command line; the work is in static_agent.h.

#include "apps/agent/agent_daemon.h"
#include "apps/agent/static_agent.h"
#include "apps/command_line.h"
#include "apps/packet_kernels.h"
#include "base/hex.h"
#include "base/host_label.h"
#include "base/log.h"
#include "base/secret_dump.h"
#include "system/daemonise.h"
#include "system/hardening.h"
#include "system/log_sink.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>

namespace trellis::apps {
namespace {

struct CommandLine {
  StaticAgent::Options agent;
  std::string log_level = "info";
  bool foreground = false;
  bool check = false;
  std::string allowed_domain;
};

int report(const Error& error) {
  std::fprintf(stderr, "trellisd: %s\n", error.message.c_str());
  return kExitFailed;
}

#ifdef TRELLIS_DUMP_SECRETS
std::FILE* g_dump = nullptr;

void open_secret_dump() {
  const char* path = std::getenv("TRELLIS_SECRET_DUMP");
  if (!path) return;
  g_dump = std::fopen(path, "a");
  CHECK(g_dump != nullptr);  // a test build that cannot dump is of no use
  set_secret_dump([](std::string_view kind, ByteView secret) {
    std::fprintf(g_dump, "%.*s %s\n", static_cast<int>(kind.size()), kind.data(),
                 to_hex(secret).c_str());
    std::fflush(g_dump);
  });
}
#else
void open_secret_dump() {}
#endif

void reload_peers(StaticAgent& agent) {
  const auto done = agent.reload();
  if (!done) LOG(warn, "trellisd", "nothing was changed: {}", done.error().message);
}

int run(const CommandLine& line, std::optional<system::Daemon> daemon) {
  // Not before the fork: a child does not inherit locks of memory.
  for (const std::string& missing : system::harden_process()) {
    LOG(warn, "trellisd", "{}", missing);
  }
  if (const auto chosen = choose_packet_kernels(); !chosen) return report(chosen.error());
  if (line.check) {
    const auto checked = StaticAgent::check(line.agent);
    if (!checked) return report(checked.error());
    std::puts("peers.toml and keys are in order");
    return kExitDone;
  }
  auto loop = system::Loop::create();
  if (!loop) return report(loop.error());
  std::function<void()> reload;  // once it runs
  auto signals = (*loop)->on_signals({SIGTERM, SIGINT, SIGHUP}, [&](int signal) {
    if (signal != SIGHUP) return (*loop)->stop();
    if (reload) reload();
  });
  if (!signals) return report(signals.error());
  const auto run_loop = [&](auto& agent, std::function<void()> on_reload) {
    reload = std::move(on_reload);
    LOG(info, "trellisd", "running version={} {}", TRELLIS_VERSION,
        line.agent.peers_file.empty() ? "" : "peers_file=" + line.agent.peers_file);
    if (daemon) daemon->ready(system::Daemon::Errors::Keep);
    (*loop)->run();
    reload = nullptr;
    agent.reset();
    LOG(info, "trellisd", "stopped");
    return kExitDone;
  };
  if (line.agent.peers_file.empty()) {
    auto agent = AgentDaemon::create(**loop, {.state_folder = line.agent.state_folder,
                                              .control_socket = line.agent.control_socket,
                                              .allowed_domain = line.allowed_domain});
    if (!agent) return report(agent.error());
    return run_loop(*agent, [raw = agent->get()] { raw->retry_now(); });
  }
  auto agent = StaticAgent::create(**loop, line.agent);
  if (!agent) return report(agent.error());
  return run_loop(*agent, [raw = agent->get()] { reload_peers(*raw); });
}

}  // namespace
}  // namespace trellis::apps

int main(int argc, char** argv) {
  using namespace trellis;
  apps::CommandLine line;
  line.agent.state_folder = "/var/lib/trellis";
  line.agent.control_socket = "/run/trellis/trellisd.sock";
  CLI::App app{
      "trellisd: the agent of a quantum-resistant mesh VPN\n\n"
      "  trellisd                                  does what `trellis up` and `trellis down` say\n"
      "  trellisd --static /etc/trellis/peers.toml runs pairs from a file, without a server"};
  app.name("trellisd");
  auto* peers_file =
      app.add_option("--static", line.agent.peers_file, "List of peers; no server is needed")
          ->type_name("PEERS.TOML");
  app.add_option("--state", line.agent.state_folder, "Folder of keys and state")
      ->capture_default_str()
      ->type_name("DIR");
  app.add_option("--socket", line.agent.control_socket, "Control socket, for trellis(1)")
      ->capture_default_str()
      ->type_name("PATH");
  app.add_option("--domain", line.allowed_domain,
                 "Domain that the server's network may have, besides NAME.internal")
      ->excludes(peers_file)
      ->type_name("DOMAIN");
  app.add_option("--log-level", line.log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str()
      ->type_name("LEVEL");
  app.add_flag("--foreground", line.foreground,
               "Stay in the foreground (else go to the background)");
  app.add_flag("--check", line.check, "Check peers.toml and keys, and do nothing else")
      ->needs(peers_file);
  app.set_version_flag("--version", TRELLIS_VERSION);
  app.footer(
      "Exit status: 0 after a clean stop, 1 for anything that is wrong, 2 for a wrong option.");
  if (const auto status = apps::parse_command_line(app, argc, argv)) return *status;
  log::Level level{};
  if (!log::parse_level(line.log_level, level)) {
    std::fprintf(stderr, "trellisd: --log-level %s: use trace, debug, info, warn, error or off\n",
                 line.log_level.c_str());
    return apps::kExitUsage;
  }
  line.allowed_domain = ascii_lower(line.allowed_domain);
  if (!line.allowed_domain.empty() && !is_host_name(line.allowed_domain)) {
    std::fprintf(stderr, "trellisd: --domain %s: this is no domain\n", line.allowed_domain.c_str());
    return apps::kExitUsage;
  }
  // In the background the working folder is another one.
  for (std::string* path :
       {&line.agent.peers_file, &line.agent.state_folder, &line.agent.control_socket}) {
    if (!path->empty()) *path = std::filesystem::absolute(*path).string();
  }
  system::start_logging(level);
  std::optional<system::Daemon> daemon;
  if (!line.foreground && !line.check) {
    auto started = system::Daemon::start();
    if (!started) return apps::report(started.error());
    daemon = *std::move(started);
  }
  apps::open_secret_dump();
  return apps::run(line, std::move(daemon));
}
