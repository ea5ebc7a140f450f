#include "apps/rosenpass/wireguard_key.h"

#include "base/hex.h"
#include "system/ipc.h"
#include "system/program.h"
#include "system/secure_file.h"

#include <fmt/format.h>

#include <charconv>

namespace trellis::rosenpass_program {
namespace {

constexpr Duration kTimeout = 5s;

void wipe(std::string& text) { zeroise(std::as_writable_bytes(std::span(text))); }

/// "off" or a number of seconds, as `wg set` takes it.
std::optional<int> keepalive_of(std::string_view text) {
  if (text == "off") return 0;
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0 || seconds > 65535) {
    return std::nullopt;
  }
  return seconds;
}

/// "10.0.0.0/24,fd00::1" as lines.
std::optional<std::string> allowed_ips_of(std::string_view list) {
  std::string lines = "replace_allowed_ips=true\n";
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view one = list.substr(0, end);
    while (one.starts_with(' ')) one.remove_prefix(1);
    const auto prefix = Prefix::parse(one);
    if (!prefix) return std::nullopt;
    lines += fmt::format("allowed_ip={}\n", prefix->to_string());
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return lines;
}

/// The words for `wg set` as lines for the control socket.
std::optional<std::string> extra_lines(const std::vector<std::string>& words) {
  if (words.size() % 2 != 0) return std::nullopt;
  std::string lines;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::string& value = words[i + 1];
    if (words[i] == "allowed-ips") {
      const auto allowed = allowed_ips_of(value);
      if (!allowed) return std::nullopt;
      lines += *allowed;
    } else if (words[i] == "persistent-keepalive") {
      const auto seconds = keepalive_of(value);
      if (!seconds) return std::nullopt;
      lines += fmt::format("persistent_keepalive_interval={}\n", *seconds);
    } else if (words[i] == "endpoint" && Endpoint::parse(value)) {
      lines += fmt::format("endpoint={}\n", value);
    } else {
      return std::nullopt;
    }
  }
  return lines;
}

Result<> set_by_socket(const std::string& socket, std::string request) {
  const auto answer = system::ipc_call(socket, request, kTimeout);
  wipe(request);
  if (!answer) return fail(answer.error());
  if (answer->find("errno=0\n") != std::string::npos) return {};
  return fail_with(fmt::format("{} refused the key: {}", socket, *answer));
}

Result<> run_with_key(const std::vector<std::string>& words, const rosenpass::OutputKey& key) {
  std::string text = to_base64(key.expose()) + "\n";
  const auto status = system::run_program_with_input(words, as_bytes(text), kTimeout);
  wipe(text);
  if (!status) return fail(status.error());
  if (*status != 0) return fail_with(fmt::format("`{}` failed (status {})", words[0], *status));
  return {};
}

}  // namespace

std::string control_socket_of(const std::string& device) {
  return "/var/run/wireguard/" + device + ".sock";
}

std::optional<std::string> control_request(const WireGuardTarget& target,
                                           const rosenpass::OutputKey& key) {
  const auto extra = extra_lines(target.extra);
  if (!extra) return std::nullopt;
  return fmt::format("set=1\npublic_key={}\npreshared_key={}\n{}", to_hex(target.peer.bytes),
                     to_hex(key.expose()), *extra);
}

Result<> set_preshared_key(const WireGuardTarget& target, const rosenpass::OutputKey& key) {
  const std::string socket = control_socket_of(target.device);
  auto request = control_request(target, key);
  if (request && system::file_exists(socket) && system::ipc_may_listen(socket)) {
    return set_by_socket(socket, *std::move(request));
  }
  if (request) wipe(*request);
  std::vector<std::string> words = {
      "wg",        "set", target.device, "peer", to_base64(target.peer.bytes), "preshared-key",
      "/dev/stdin"};
  words.insert(words.end(), target.extra.begin(), target.extra.end());
  auto done = run_with_key(words, key);
  if (!done) return fail(std::move(done).error().within("preshared key of " + target.device));
  return {};
}

Result<> run_key_command(const std::vector<std::string>& words, const rosenpass::OutputKey& key) {
  return run_with_key(words, key);
}

}  // namespace trellis::rosenpass_program
