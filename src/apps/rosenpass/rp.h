#pragma once

#include "apps/rosenpass/config.h"
#include "base/random.h"
#include "base/result.h"

#include <optional>
#include <string>
#include <vector>

/// What the tool `rp` does: keys in folders, and whole tunnels.
///
///   private folder, 0700:  wgsk (base64), pqsk, pqpk (raw)
///   public folder:         wgpk (base64), pqpk (raw), psk (base64, if both ends have one)
namespace trellis::rosenpass_program {

/// All three keys or none; makes the folder.
Result<> rp_genkey(const std::string& private_folder, Random& random);
/// Makes the folder.
Result<> rp_pubkey(const std::string& private_folder, const std::string& public_folder);

/// The words behind `rp exchange`:
///
///   PRIVATE_DIR [dev INTERFACE] [ip ADDRESS/LENGTH] [listen ADDRESS:PORT]
///   [peer PUBLIC_DIR [endpoint HOST:PORT] [persistent-keepalive SECONDS] [allowed-ips LIST]]...
struct Tunnel {
  struct Peer {
    std::string public_folder;
    std::string endpoint = {};
    std::string persistent_keepalive = {};
    std::string allowed_ips = {};
  };
  std::string private_folder;
  std::string device = "rosenpass0";
  std::optional<InterfaceAddress> ip;
  std::optional<Endpoint> listen;
  std::vector<Peer> peers;
};
Result<Tunnel> parse_tunnel_words(const std::vector<std::string>& words);

/// What Rosenpass has to do for it. Reads the WireGuard keys of the peers.
Result<Config> config_of(const Tunnel& tunnel);
/// 44 characters of base64, a line feed behind them or not.
Result<crypto::PrivateKey> load_wireguard_key(const std::string& path);
/// WireGuard's port is the one after Rosenpass's.
Result<std::uint16_t> port_after(std::uint16_t port);

}  // namespace trellis::rosenpass_program
