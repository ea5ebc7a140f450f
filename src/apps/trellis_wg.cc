// A WireGuard device in user space, used like wireguard-go. This file is its command line; the work
// is in wireguard_program.h.

#include "apps/command_line.h"
#include "apps/packet_kernels.h"
#include "apps/wireguard_program.h"
#include "base/log.h"
#include "system/daemonise.h"
#include "system/hardening.h"
#include "system/log_sink.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace trellis::apps {
namespace {

struct WireGuardRequest {
  WireGuardProgram::Options options;
  bool foreground = false;
};

/// Null if it is not set.
const char* log_level_text() {
  return std::getenv("LOG_LEVEL");  // NOLINT(concurrency-mt-unsafe): nobody sets it
}

/// The levels of wireguard-go's LOG_LEVEL.
log::Level log_level() {
  const std::string_view level = log_level_text() == nullptr ? "error" : log_level_text();
  if (level == "verbose" || level == "debug") return log::Level::debug;
  return level == "silent" ? log::Level::off : log::Level::error;
}

int report(const Error& error) {
  std::fprintf(stderr, "trellis-wg: %s\n", error.message.c_str());
  return kExitFailed;
}

int work(const WireGuardRequest& request, std::optional<system::Daemon> daemon) {
  // Not before the fork: a child does not inherit locks of memory.
  for (const std::string& warning : system::harden_process()) {
    std::fprintf(stderr, "trellis-wg: warning: %s\n", warning.c_str());
  }
  if (const auto chosen = choose_packet_kernels(); !chosen) return report(chosen.error());
  auto loop = system::Loop::create();
  if (!loop) return report(loop.error());
  const auto signals = (*loop)->on_signals({SIGTERM, SIGINT}, [&](int) { (*loop)->stop(); });
  if (!signals) return report(signals.error());
  const auto program = WireGuardProgram::create(**loop, request.options);
  if (!program) return report(program.error());
  if (daemon) {
    using Errors = system::Daemon::Errors;
    daemon->ready(log_level_text() == nullptr ? Errors::Discard : Errors::Keep);
  }
  (*loop)->run();
  return kExitDone;
}

int run(int argc, char** argv) {
  WireGuardRequest request;
  CLI::App app("A WireGuard device in user space, configured by wg(8)");
  app.name("trellis-wg");
  app.add_option("NAME", request.options.name, "Name of the interface to make")
      ->type_name("")
      ->required();
  app.add_flag("-f,--foreground", request.foreground, "Do not go to the background");
  app.add_option("--namespace", request.options.underlay,
                 "Network namespace, by name or path, whose network carries the encrypted packets")
      ->type_name("NAME|PATH");
  app.set_version_flag("--version", TRELLIS_VERSION, "Print the version");
  app.footer(
      "\nExample: trellis-wg wg0 && wg setconf wg0 wg0.conf && ip link set wg0 up\n"
      "Interfaces may be moved (`ip link set wg0 netns NAME`); the encrypted packets stay here.\n"
      "Environment: LOG_LEVEL=verbose, error (default) or silent; TRELLIS_NO_OFFLOAD=1 passes\n"
      "packets through the kernel one by one; TRELLIS_PACKET_KERNELS=portable, neon, avx2, avx512\n"
      "or avx512-ifma seals them with less than the fastest instructions.\n"
      "Exit status: 0 after SIGTERM or when the interface was removed, 1 could not be done, 2 "
      "wrong\n"
      "command line.\n");
  if (const auto status = parse_command_line(app, argc, argv)) return *status;
  system::start_logging(log_level());
  std::optional<system::Daemon> daemon;
  if (!request.foreground) {
    auto started = system::Daemon::start();
    if (!started) return report(started.error());
    daemon = *std::move(started);
  }
  return work(request, std::move(daemon));
}

}  // namespace
}  // namespace trellis::apps

int main(int argc, char** argv) { return trellis::apps::run(argc, argv); }
