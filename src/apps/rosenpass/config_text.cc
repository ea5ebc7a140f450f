#include "apps/rosenpass/config.h"
#include "base/hex.h"

#include <fmt/format.h>

/// Configurations as TOML: writing.
namespace trellis::rosenpass_program {
namespace {

/// A basic string of TOML. [TOML 1.0 "string"]
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string list_of(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts) {
    if (!result.empty()) result += ", ";
    result += quoted(text);
  }
  return "[" + result + "]";
}

void add(std::string& toml, std::string_view key, const std::string& value) {
  toml += fmt::format("{} = {}\n", key, value);
}

void add_text(std::string& toml, std::string_view key, const std::string& text) {
  if (!text.empty()) add(toml, key, quoted(text));
}

std::string_view name_of(rosenpass::PeerKind kind) {
  switch (kind) {
    case rosenpass::PeerKind::Trellis:
      return "trellis";
    case rosenpass::PeerKind::Stock:
      return "rust";
    case rosenpass::PeerKind::StockGo:
      return "go";
    case rosenpass::PeerKind::Unknown:
      break;
  }
  return "";
}

void add_peer(std::string& toml, const PeerSection& peer) {
  toml += "\n[[peers]]\n";
  add(toml, "public_key", quoted(peer.public_key));
  add_text(toml, "endpoint", peer.endpoint);
  add_text(toml, "pre_shared_key", peer.pre_shared_key);
  add_text(toml, "key_out", peer.key_out);
  if (peer.wireguard) {
    add(toml, "device", quoted(peer.wireguard->device));
    add(toml, "peer", quoted(to_base64(peer.wireguard->peer.bytes)));
    add(toml, "extra_params", list_of(peer.wireguard->extra));
  }
  if (!peer.psk_command.empty()) add(toml, "psk_command", list_of(peer.psk_command));
  if (peer.version != rosenpass::Version::V02) {
    add(toml, "protocol_version", quoted(rosenpass::name(peer.version)));
  }
  if (peer.ciphertext_bytes != 188) {
    add(toml, "ciphertext_bytes", std::to_string(peer.ciphertext_bytes));
  }
  add_text(toml, "osk_organization", peer.osk_organization);
  if (!peer.osk_label.empty()) add(toml, "osk_label", list_of(peer.osk_label));
  add_text(toml, "peer_software", std::string(name_of(peer.software)));
}

}  // namespace

std::string to_toml(const Config& config) {
  std::string toml;
  add(toml, "public_key", quoted(config.public_key));
  add(toml, "secret_key", quoted(config.secret_key));
  std::vector<std::string> listen;
  for (const Endpoint& endpoint : config.listen) listen.push_back(endpoint.to_string());
  add(toml, "listen", list_of(listen));
  add(toml, "verbosity", quoted(config.verbose ? "Verbose" : "Quiet"));
  for (const PeerSection& peer : config.peers) add_peer(toml, peer);
  return toml;
}

std::string example_config() {
  return R"(# Our own keys: `gen-keys` makes them. Give the public key to the peers.
public_key = "rp-public-key"
secret_key = "rp-secret-key"

# Where to listen, such as ["0.0.0.0:9999", "[::]:9999"]. Empty: a port that the kernel picks.
listen = []

# "Quiet" or "Verbose"
verbosity = "Quiet"

[[peers]]
public_key = "rp-peer-public-key"

# Where the peer is. Without it we wait for the peer to begin.
endpoint = "my-peer.test:9999"

# A second secret that both ends share, in base64. Optional.
# pre_shared_key = "rp-peer-psk"

# Where the current key is written, in base64.
key_out = "rp-key-out"

# The WireGuard peer that gets the key as its preshared key.
# device = "wg0"
# peer = "BASE64 OF ITS WIREGUARD PUBLIC KEY"
# extra_params = ["allowed-ips", "192.0.2.2/32"]
)";
}

}  // namespace trellis::rosenpass_program
