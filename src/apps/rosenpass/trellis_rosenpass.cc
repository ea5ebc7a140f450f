// Rosenpass by itself, used like `rosenpass`. This file is its command line; the work is in
// exchange.h and commands.h.

#include "apps/command_line.h"
#include "apps/progress.h"
#include "apps/rosenpass/commands.h"
#include "apps/rosenpass/exchange.h"
#include "apps/rosenpass/manual.h"
#include "apps/rosenpass/rp.h"
#include "apps/rosenpass/tunnel_interface.h"
#include "base/log.h"
#include "system/hardening.h"
#include "system/log_sink.h"
#include "system/secure_file.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace trellis::rosenpass_program {
namespace {

using apps::kExitDone;
using apps::kExitFailed;
using apps::kExitUsage;

int report(const Error& error) {
  std::fprintf(stderr, "trellis-rosenpass: %s\n", error.message.c_str());
  return kExitFailed;
}

int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return kExitDone;
}

/// The level that the command line asks for, else $RUST_LOG if it is a level, else the
/// configuration's verbosity.
log::Level level_of(const Request& request, const Config& config) {
  log::Level level = config.verbose ? log::Level::info : log::Level::warn;
  const char* environment = std::getenv("RUST_LOG");  // NOLINT(concurrency-mt-unsafe): not set
  if (environment != nullptr) (void)log::parse_level(environment, level);
  if (!request.log_level.empty()) (void)log::parse_level(request.log_level, level);
  return level;
}

/// `tunnel`: what has to be made first, for `rp exchange`.
int exchange(const Request& request, const ParsedConfig& parsed, const Tunnel* tunnel = nullptr) {
  system::start_logging(level_of(request, parsed.config));
  for (const std::string& warning : parsed.warnings) LOG(warn, "rosenpass", "{}", warning);
  for (const std::string& missing : system::harden_process()) {
    LOG(info, "rosenpass", "{}", missing);
  }
  auto loop = system::Loop::create();
  if (!loop) return report(loop.error());
  // Nobody may read our standard output any more, and that is no reason to end.
  const auto signals = (*loop)->on_signals({SIGTERM, SIGINT, SIGPIPE}, [&](int signal) {
    if (signal != SIGPIPE) (*loop)->stop();
  });
  if (!signals) return report(signals.error());
  std::unique_ptr<TunnelInterface> interface;
  if (tunnel != nullptr) {
    auto made = TunnelInterface::make(*tunnel);
    if (!made) return report(made.error());
    interface = *std::move(made);
  }
  const auto print_line = [](const std::string& line) {
    std::fprintf(stdout, "%s\n", line.c_str());
    std::fflush(stdout);
  };
  const auto running =
      Exchange::create(**loop, parsed.config, {.work_factor = request.max_load / 10}, print_line);
  if (!running) return report(running.error());
  for (const Endpoint& local : (*running)->local()) {
    LOG(info, "rosenpass", "listening at={}", local.to_string());
  }
  (*loop)->run();
  return kExitDone;
}

int exchange_words(const Request& request) {
  auto config = parse_exchange_words(request.words);
  if (!config) {
    (void)report(config.error());
    return kExitUsage;
  }
  if (!request.config_file.empty()) {
    const auto written =
        system::write_file_atomically(request.config_file, as_bytes(to_toml(*config)), 0644);
    if (!written) return report(written.error());
  }
  return exchange(request, ParsedConfig{*std::move(config), {}});
}

int exchange_config(const Request& request) {
  const auto parsed = load_config(request.words.front());
  return parsed ? exchange(request, *parsed) : report(parsed.error());
}

int rp_exchange(const Request& request) {
  const auto tunnel = parse_tunnel_words(request.words);
  if (!tunnel) {
    (void)report(tunnel.error());
    return kExitUsage;
  }
  auto config = config_of(*tunnel);
  if (!config) return report(config.error());
  return exchange(request, ParsedConfig{*std::move(config), {}}, &*tunnel);
}

/// A fast machine makes a key pair in 50 ms.
template <class Make>
auto with_progress(const Make& make) {
  const apps::Progress progress("making the key pair; a slow machine needs up to a minute");
  return make();
}

int make_keys(const Request& request) {
  const auto made = with_progress([&] { return gen_keys(request); });
  if (!made) return report(made.error());
  std::fprintf(stderr, "%s\n", made->c_str());
  return kExitDone;
}

int check_configs(const Request& request) {
  const Validation validation = validate(request);
  for (const std::string& line : validation.lines) std::fprintf(stderr, "%s\n", line.c_str());
  return validation.in_order ? kExitDone : kExitFailed;
}

int run(const Request& request) {
  using Command = Request::Command;
  switch (request.command) {
    case Command::Help:
      return print(help_text(request.topic));
    case Command::Version:
      return print("trellis-rosenpass " TRELLIS_VERSION "\n");
    case Command::Man:
      return show_manual() ? kExitDone : kExitFailed;
    case Command::ExchangeConfig:
      return exchange_config(request);
    case Command::Exchange:
      return exchange_words(request);
    case Command::GenConfig: {
      const auto made = gen_config(request);
      return made ? kExitDone : report(made.error());
    }
    case Command::GenKeys:
      return make_keys(request);
    case Command::Validate:
      return check_configs(request);
    case Command::RpGenkey: {
      system::SystemRandom random;
      const auto made = with_progress([&] { return rp_genkey(request.words[0], random); });
      return made ? kExitDone : report(made.error());
    }
    case Command::RpPubkey: {
      const auto made = rp_pubkey(request.words[0], request.words[1]);
      return made ? kExitDone : report(made.error());
    }
    case Command::RpExchange:
      return rp_exchange(request);
  }
  return kExitFailed;
}

}  // namespace
}  // namespace trellis::rosenpass_program

int main(int argc, char** argv) {
  using namespace trellis;
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  const auto request = rosenpass_program::parse_request(words);
  if (!request) {
    std::fprintf(stderr, "trellis-rosenpass: %s\n", request.error().message.c_str());
    return apps::kExitUsage;
  }
  if (log::Level level{};
      !request->log_level.empty() && !log::parse_level(request->log_level, level)) {
    std::fprintf(stderr,
                 "trellis-rosenpass: --log-level %s: use trace, debug, info, warn, error or off\n",
                 request->log_level.c_str());
    return apps::kExitUsage;
  }
  return rosenpass_program::run(*request);
}
