#pragma once

#include "base/address.h"
#include "base/time.h"
#include "crypto/keys.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace trellis::server {

/// The name of a Rosenpass public key: number of the suite, V02 peer id. [pair rule 5]
using KeyName = Bytes<33>;

/// What there is one of.
struct NetworkRecord {
  crypto::PrivateKey box = crypto::PrivateKey::zero();  // seals what agents and server tell
  Prefix v4;                                            // a /16
  Prefix v6;                                            // a /64
  std::string domain;                                   // "trellis.internal"
  /// The highest serial of a map that anybody was shown. It never goes back, not even with an old
  /// backup: see Management.
  std::uint64_t serial = 0;

  NetworkRecord clone() const { return {box.clone(), v4, v6, domain, serial}; }
};

/// A machine of the network.
struct PeerRecord {
  crypto::PublicKey key;  // WireGuard; what a machine is known by
  std::string name;       // one DNS label, nobody else's
  IpAddress v4;
  IpAddress v6;
  std::optional<KeyName> key_name;   // of its Rosenpass key, pinned; nothing: a stock agent
  std::optional<KeyName> asked_key;  // another one that it named later, until `peer trust`; all
                                     // zero: it came without one
  bool key_complete = false;         // the bytes of that key are here
  bool ephemeral = false;            // forgotten when it has been away for a while
  std::string setup_key;             // id of the one that let it in
  WallTime created;
  WallTime last_seen;
  // What it says of itself.
  std::string host_name;
  std::string version;
  std::string system;

  friend bool operator==(const PeerRecord&, const PeerRecord&) = default;
};

/// What lets machines in. The key's text is shown once and not kept.
struct SetupKeyRecord {
  std::string id;    // short, shown in lists
  std::string hash;  // control::setup_key_hash of the text
  std::string name;  // for people
  bool reusable = false;
  std::uint32_t usage_limit = 0;  // of a reusable one; 0: none
  std::uint32_t used = 0;
  std::optional<WallTime> expires;
  bool revoked = false;
  bool ephemeral = false;  // so are the machines that it lets in
  WallTime created;

  friend bool operator==(const SetupKeyRecord&, const SetupKeyRecord&) = default;
};

/// All that a store holds.
struct Snapshot {
  std::optional<NetworkRecord> network;
  std::vector<PeerRecord> peers;
  std::vector<SetupKeyRecord> setup_keys;
};

/// What one transaction changes: all of it, or nothing.
struct Changes {
  std::optional<NetworkRecord> network;  // the whole record
  std::optional<std::uint64_t> serial;   // that alone
  std::vector<PeerRecord> put_peers;     // new ones, or in place of those with the same key
  std::vector<crypto::PublicKey> removed_peers;
  std::vector<SetupKeyRecord> put_setup_keys;

  bool empty() const {
    return !network && !serial && put_peers.empty() && removed_peers.empty() &&
           put_setup_keys.empty();
  }
};

}  // namespace trellis::server
