#include "apps/rosenpass/tunnel_interface.h"

#include "apps/rosenpass/wireguard_key.h"
#include "base/hex.h"
#include "base/log.h"
#include "system/ipc.h"
#include "system/program.h"
#include "system/secure_file.h"
#include "system/wireguard_link.h"

#include <fmt/format.h>

namespace trellis::rosenpass_program {
namespace {

constexpr std::uint32_t kMtu = 1420;  // 80 bytes of headers over IPv6
constexpr Duration kTimeout = 5s;

/// By a program that makes a device in user space, and goes to the background.
Result<> start_device(const std::string& name) {
  for (const char* program : {"trellis-wg", "wireguard-go"}) {
    const auto path = system::find_program(program);
    if (!path) continue;
    const int status = TRY(system::run_program({*path, name}));
    if (status == 0) return {};
    return fail_with(fmt::format("`{} {}` failed (status {})", *path, name, status));
  }
  return fail_with(
      "the kernel has no WireGuard, and neither trellis-wg nor wireguard-go is installed");
}

Result<> set_by_socket(const std::string& socket, const crypto::PrivateKey& key,
                       std::uint16_t port) {
  std::string request =
      fmt::format("set=1\nprivate_key={}\nlisten_port={}\n", to_hex(key.expose()), port);
  const auto answer = system::ipc_call(socket, request, kTimeout);
  zeroise(std::as_writable_bytes(std::span(request)));
  if (!answer) return fail(answer.error());
  if (answer->find("errno=0\n") != std::string::npos) return {};
  return fail_with(fmt::format("{} refused key and port: {}", socket, *answer));
}

Result<> set_by_wg(const std::string& name, const crypto::PrivateKey& key, std::uint16_t port) {
  std::string text = to_base64(key.expose()) + "\n";
  const auto status = system::run_program_with_input(
      {"wg", "set", name, "private-key", "/dev/stdin", "listen-port", std::to_string(port)},
      as_bytes(text), kTimeout);
  zeroise(std::as_writable_bytes(std::span(text)));
  if (!status) return fail(status.error());
  if (*status == 0) return {};
  return fail_with(fmt::format("`wg set {}` failed (status {})", name, *status));
}

}  // namespace

Result<std::unique_ptr<TunnelInterface>> TunnelInterface::make(const Tunnel& tunnel) {
  system::Routes routes = TRY(system::Routes::open());
  if (!TRY(system::add_wireguard_link(tunnel.device))) TRY(start_device(tunnel.device));
  auto interface =
      std::unique_ptr<TunnelInterface>(new TunnelInterface(std::move(routes), tunnel.device));
  TRY(interface->set_up(tunnel));
  return interface;
}

TunnelInterface::~TunnelInterface() {
  if (index_ == 0) return;
  if (const auto removed = routes_.delete_interface(index_); !removed) {
    LOG(warn, "rosenpass", "{}", removed.error().message);
  }
}

Result<> TunnelInterface::set_up(const Tunnel& tunnel) {
  index_ = TRY(routes_.interface_index(name_));
  TRY(set_key_and_port(tunnel));
  if (tunnel.ip) TRY(routes_.add_address(index_, *tunnel.ip));
  TRY(routes_.bring_up(index_, kMtu));
  return add_routes(tunnel);
}

Result<> TunnelInterface::set_key_and_port(const Tunnel& tunnel) {
  const crypto::PrivateKey key = TRY(load_wireguard_key(tunnel.private_folder + "/wgsk"));
  std::uint16_t port = 0;  // the device picks one
  if (tunnel.listen) port = TRY(port_after(tunnel.listen->port));
  const std::string socket = control_socket_of(name_);
  if (system::file_exists(socket)) return set_by_socket(socket, key, port);
  return set_by_wg(name_, key, port);
}

Result<> TunnelInterface::add_routes(const Tunnel& tunnel) {
  for (const Tunnel::Peer& peer : tunnel.peers) {
    std::string_view rest = peer.allowed_ips;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(','), rest.size());
      const auto prefix = Prefix::parse(rest.substr(0, end));
      CHECK(prefix.has_value());  // the words were checked
      const bool of_our_network = tunnel.ip && tunnel.ip->network().contains(prefix->address()) &&
                                  tunnel.ip->length <= prefix->length();
      if (!of_our_network) TRY(routes_.replace_route(*prefix, index_));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return {};
}

}  // namespace trellis::rosenpass_program
