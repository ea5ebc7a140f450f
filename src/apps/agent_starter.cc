#include "apps/agent_starter.h"

#include "apps/trellis_command_line.h"
#include "base/time.h"
#include "system/clock.h"
#include "system/ipc.h"
#include "system/program.h"
#include "system/secure_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace trellis::apps {
namespace {

constexpr Duration kAppearTime = 10s;
constexpr Duration kPollInterval = 5ms;

bool systemd_runs_it(const AgentPlace& place) {
  if (place.state_folder != kStateFolder || place.socket != kControlSocket) return false;
  if (!system::file_exists("/run/systemd/system")) return false;
  const auto status = system::run_program({"systemctl", "is-enabled", "--quiet", "trellisd"});
  return status && *status == 0;
}

Result<> start_by_systemd() {
  const int status = TRY(system::run_program({"systemctl", "start", "trellisd"}));
  if (status == 0) return {};
  return fail_with("systemd could not start trellisd: `journalctl -u trellisd` says why");
}

/// The end of a log, from a position in it.
std::string text_since(const std::string& path, std::uintmax_t position) {
  std::ifstream file(path);
  file.seekg(static_cast<std::streamoff>(position));
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Result<> start_by_hand(const AgentPlace& place) {
  if (::geteuid() != 0) {
    return fail_with("trellisd does not run, and only root can start it: use sudo");
  }
  const std::string program = TRY(system::find_program("trellisd"));
  const auto folder = std::filesystem::absolute(place.socket).parent_path();
  // Not to our own standard error: a pipe there would never end while the agent runs.
  const std::string log = folder / "trellisd.log";
  std::error_code failed;
  if (std::filesystem::create_directories(folder, failed)) {
    using std::filesystem::perms;
    std::filesystem::permissions(folder,
                                 perms::owner_all | perms::group_read | perms::group_exec |
                                     perms::others_read | perms::others_exec,
                                 failed);
  }
  const auto size = std::filesystem::file_size(log, failed);
  const std::uintmax_t before = failed ? 0 : size;
  const int status = TRY(
      system::run_program({program, "--state", place.state_folder, "--socket", place.socket}, log));
  if (status == 0) return {};
  return fail_with(
      fmt::format("trellisd did not start (exit status {}):\n{}", status, text_since(log, before)));
}

Result<> wait_for_socket(const std::string& path) {
  const TimePoint deadline = system::boot_now() + kAppearTime;
  while (!system::ipc_may_listen(path)) {
    if (system::boot_now() > deadline) {
      return fail_with(fmt::format("trellisd was started, but does not listen on {}", path));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  return {};
}

}  // namespace

Result<> ensure_agent(const AgentPlace& place) {
  if (system::ipc_may_listen(place.socket)) return {};
  if (systemd_runs_it(place)) {
    TRY(start_by_systemd());
  } else {
    TRY(start_by_hand(place));
  }
  return wait_for_socket(place.socket);
}

}  // namespace trellis::apps
