#pragma once

#include "base/address.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "protocol/rosenpass/node.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::rosenpass_program {

/// The WireGuard peer whose preshared key an exchange makes.
struct WireGuardTarget {
  std::string device;
  crypto::PublicKey peer{};
  std::vector<std::string> extra;  // more words for `wg set`
  friend bool operator==(const WireGuardTarget&, const WireGuardTarget&) = default;
};

/// One [[peers]] of a configuration. Paths are as they were written; an empty text: not given.
struct PeerSection {
  std::string public_key;
  std::string endpoint;  // HOST:PORT; without it we only answer
  std::string pre_shared_key;
  std::string key_out;
  std::optional<WireGuardTarget> wireguard;
  std::vector<std::string> psk_command;  // gets the key on its standard input; ours alone
  rosenpass::Version version = rosenpass::Version::V02;
  std::size_t ciphertext_bytes = 188;  // of McEliece; ours alone
  std::string osk_organization;
  std::vector<std::string> osk_label;
  rosenpass::PeerKind software = rosenpass::PeerKind::Unknown;  // ours alone
  friend bool operator==(const PeerSection&, const PeerSection&) = default;
};

/// What `rosenpass` is told by its configuration file or its command line.
struct Config {
  std::string public_key;
  std::string secret_key;
  std::vector<Endpoint> listen;  // none: a port that the kernel picks
  bool verbose = false;
  std::vector<PeerSection> peers;
  friend bool operator==(const Config&, const Config&) = default;
};

/// A configuration, and what in it has no effect: "line L, column C: ..." each.
struct ParsedConfig {
  Config config;
  std::vector<std::string> warnings;
};

/// The TOML of Rust rosenpass 0.2, with the keys of its 0.3 and a few of ours. Errors and warnings
/// tell line and column.
Result<ParsedConfig> parse_config(std::string_view toml);
std::string to_toml(const Config& config);
/// What `gen-config` writes: the same values as Rust rosenpass 0.2, with words about each.
std::string example_config();

/// The words behind `exchange`:
///
///   public-key F secret-key F [listen ADDR:PORT]... [verbose]
///   [peer public-key F [endpoint HOST:PORT] [preshared-key F] [outfile F]
///         [wireguard DEV KEY [WORDS for `wg set`...]]]...
///
/// `private-key` is an old name of `secret-key`. What follows `wireguard DEV KEY` belongs to it up
/// to the next `peer`.
Result<Config> parse_exchange_words(const std::vector<std::string>& words);

/// "HOST:PORT", "[ADDRESS]:PORT" in its parts; nothing if it is not of that form.
struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};
std::optional<HostAndPort> split_endpoint(std::string_view text);

/// "ADDRESS:PORT"; port 0: the kernel picks one.
std::optional<Endpoint> parse_listen(std::string_view text);

/// A leading "~/" stands for the home folder.
std::string expanded(const std::string& path);

}  // namespace trellis::rosenpass_program
