#pragma once

#include "base/address.h"
#include "base/result.h"
#include "crypto/keys.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::netmap {

enum class Mode : std::uint8_t { Strict, Permissive };

/// [host]: this machine.
struct HostSection {
  std::string name;                         // a DNS label
  std::string interface = "trellis0";       //
  std::vector<InterfaceAddress> addresses;  // at least one; their networks are the overlay
  std::uint16_t listen_port = 51820;        // 0: any
  std::uint32_t mtu = 1280;
  Mode mode = Mode::Strict;
  friend bool operator==(const HostSection&, const HostSection&) = default;
};

/// "host:port" as written: an address, or a name that has to be looked up.
struct PeerEndpoint {
  std::string host;
  std::uint16_t port = 0;
  std::optional<Endpoint> address;  // if `host` is one
  friend bool operator==(const PeerEndpoint&, const PeerEndpoint&) = default;
};

/// [[peer]]: a machine that we may talk to.
struct PeerSection {
  std::string name;  // a DNS label
  crypto::PublicKey wireguard_key;
  std::string rosenpass_key;  // path of its public key file; empty (permissive only): none
  std::optional<PeerEndpoint> endpoint;
  std::vector<Prefix> addresses;  // at least one, inside the host's networks, no other peer's
  std::chrono::seconds keepalive{0};
  friend bool operator==(const PeerSection&, const PeerSection&) = default;
};

/// The list of peers of `trellisd --static`. Whoever wrote it is trusted as to who the peers are;
/// what it says is checked all the same. [pair rule 10]
struct PeersFile {
  HostSection host;
  std::vector<PeerSection> peers;
  friend bool operator==(const PeersFile&, const PeersFile&) = default;
};

struct ParseOptions {
  std::string folder;                        // of the file: relative paths start there
  std::optional<crypto::PublicKey> own_key;  // no peer may have it
};

/// Parses the TOML text. An error is "line L, column C: what is wrong; what to do".
Result<PeersFile> parse_peers_file(std::string_view text, const ParseOptions& options);

/// Fails, and says why, if no path to a peer can lead to this address: what is sent to one inside
/// the VPN would enter the tunnel again and again. For what a host name stands for. [pair rule 9]
Result<> check_underlay(const HostSection& host, const IpAddress& address);

/// What a reload changes.
struct Difference {
  // Names of peers, in the order of the files.
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<std::string> changed;
  std::vector<std::string> unchanged;
  // Keys of [host] whose values differ, as written in the file.
  std::vector<std::string> host;

  bool empty() const { return added.empty() && removed.empty() && changed.empty() && host.empty(); }
};
Difference diff(const PeersFile& before, const PeersFile& after);

}  // namespace trellis::netmap
