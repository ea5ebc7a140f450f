#include "apps/mesh_commands.h"

#include "apps/answer.h"
#include "apps/join_progress.h"
#include "apps/setup_key_source.h"
#include "system/clock.h"
#include "system/hardening.h"
#include "system/ipc.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

namespace trellis::apps {
namespace {

// A host that makes its keys or opens its tunnel may be slow to answer.
constexpr Duration kAnswerTime = 30s;
constexpr Duration kPollInterval = 20ms;
constexpr Duration kLogoutTime = 15s;

void wipe(std::string& text) {
  zeroise(std::as_writable_bytes(std::span(text.data(), text.size())));
}

Result<std::string> ask(const AgentPlace& place, const JsonValue& question) {
  return system::ipc_call(place.socket, dump_line(question), kAnswerTime);
}

Result<JsonValue> status_of(const AgentPlace& place) {
  const std::string answer = TRY(ask(place, {{"command", "status"}}));
  return parse_status(answer);
}

/// The request for `up`; holds the setup key.
std::string up_question(const MeshRequest& request, const FoundSetupKey& key) {
  JsonValue question = {{"command", "up"}};
  if (!request.server.empty()) question["server"] = request.server;
  if (!request.host_name.empty()) question["hostname"] = request.host_name;
  if (request.mode) question["mode"] = *request.mode;
  if (key.text) {
    const ByteView text = key.text->expose();
    question["setup_key"] = std::string(reinterpret_cast<const char*>(text.data()), text.size());
  }
  std::string line = dump_line(question);
  if (key.text) wipe(question["setup_key"].get_ref<std::string&>());
  return line;
}

void show(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

std::string summary(const JsonValue& status, Form form, Duration took) {
  const JsonValue& network = object_of(status, "network");
  if (form == Form::Json) {
    return dump({{"ok", true},
                 {"seconds", std::chrono::duration<double>(took).count()},
                 {"name", text_of(status, "name")},
                 {"addresses", list_of(status, "addresses")},
                 {"network", network}});
  }
  const std::string domain = text_of(network, "domain");
  std::string line = "up: " + text_of(status, "name") + (domain.empty() ? "" : "." + domain);
  for (const std::string& address : texts_of(status, "addresses")) line += ", " + address;
  const std::size_t peers = list_of(status, "peers").size();
  return line + fmt::format(", {} peer{}\n", peers, peers == 1 ? "" : "s");
}

/// Polls until the map is in force, or it will not come.
Result<std::string> wait_until_up(const AgentPlace& place, const MeshRequest& request, Form form) {
  const TimePoint started = system::boot_now();
  const TimePoint deadline = started + std::chrono::duration_cast<Duration>(
                                           std::chrono::duration<double>(request.timeout_seconds));
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  JoinProgress progress(terminal ? JoinProgress::Output::Terminal : JoinProgress::Output::Lines);
  while (true) {
    const JsonValue status = TRY(status_of(place));
    const TimePoint now = system::boot_now();
    const JoinProgress::Update update = progress.observe(status);
    if (form == Form::Text) show(update.text);
    if (update.verdict == JoinProgress::Verdict::Joined) {
      return summary(status, form, now - started);
    }
    if (update.verdict == JoinProgress::Verdict::Refused) return fail_with(update.why);
    if (update.verdict == JoinProgress::Verdict::Offline) {
      show("trellis: warning: by the last map, for the server is away: " + update.why + "\n");
      return summary(status, form, now - started);
    }
    if (now >= deadline) {
      if (terminal && form == Form::Text) show("\n");
      const std::string& error = progress.last_error();
      return fail_with(fmt::format(
          "not up after {:g} s{}. trellisd goes on trying: `trellis status` shows how far it is, "
          "`trellis down` ends it",
          request.timeout_seconds, error.empty() ? "" : ": " + error));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

}  // namespace

Result<std::string> go_up(const AgentPlace& place, const MeshRequest& request, Form form) {
  static_cast<void>(system::harden_process());  // the agent, which keeps the secrets, will warn
  const FoundSetupKey key = TRY(find_setup_key(request));
  for (const std::string& warning : key.warnings) show("trellis: warning: " + warning + "\n");
  TRY(ensure_agent(place));
  std::string question = up_question(request, key);
  const auto answer = system::ipc_call(place.socket, question, kAnswerTime);
  wipe(question);
  if (!answer) return fail(answer.error());
  TRY(parse_answer(*answer));
  return wait_until_up(place, request, form);
}

Result<std::string> go_down(const AgentPlace& place) {
  const std::string answer = TRY(ask(place, {{"command", "down"}}));
  TRY(parse_answer(answer));
  return "down: the tunnel is closed; `trellis up` brings it up again\n";
}

Result<std::string> log_out(const AgentPlace& place, const MeshRequest& request) {
  const std::string answer = TRY(ask(place, {{"command", "logout"}, {"force", request.force}}));
  TRY(parse_answer(answer));
  const TimePoint deadline = system::boot_now() + kLogoutTime;
  while (true) {
    const JsonValue status = TRY(status_of(place));
    const JsonValue& network = object_of(status, "network");
    if (text_of(network, "state") == "down") {
      return "logged out: the server has forgotten this host\n";
    }
    if (system::boot_now() >= deadline) {
      const std::string error = text_of(object_of(network, "server"), "error");
      return fail_with(fmt::format(
          "the server did not answer{}; `trellis logout --force` forgets the network without it",
          error.empty() ? "" : ": " + error));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

}  // namespace trellis::apps
