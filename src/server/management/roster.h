#pragma once

#include "base/random.h"
#include "protocol/control/setup_key.h"
#include "server/store/store.h"

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace trellis::server {

/// Why a setup key does not let a machine in. For the log: strangers are not told which.
enum class KeyRefusal : std::uint8_t { Unknown, Revoked, Expired, UsedUp };
const char* to_string(KeyRefusal refusal);

/// What a machine says of itself when it registers.
struct Introduction {
  crypto::PublicKey key;
  std::string host_name;
  std::string version;
  std::string system;
  std::optional<KeyName> key_name;
  bool key_complete = false;
};

/// Who is in the network. Each change is in the store before it is in memory, and gives the map a
/// higher serial if anybody's map changes by it.
class Roster {
 public:
  /// Makes the network if the store is new. `store` and `random` must outlive the roster.
  static Result<Roster> open(Store& store, Random& random, WallTime now);

  const NetworkRecord& network() const { return network_; }
  std::uint64_t serial() const { return network_.serial; }
  const std::map<crypto::PublicKey, PeerRecord>& peers() const { return peers_; }
  const PeerRecord* find(const crypto::PublicKey& key) const;
  /// By name, overlay address or WireGuard key: what people type.
  const PeerRecord* find(std::string_view text) const;
  const std::map<std::string, SetupKeyRecord>& setup_keys() const { return setup_keys_; }

  /// Others may know of it: pairs with it are possible.
  static bool visible(const PeerRecord& peer) { return !peer.key_name || peer.key_complete; }

  // Machines.
  /// Uses the setup key up and adds the machine, both or neither.
  Expected<const PeerRecord*, std::variant<KeyRefusal, Error>> admit(
      const Introduction& introduction, const control::SetupKey& setup_key, WallTime now);
  Result<> update(const PeerRecord& peer, WallTime now);
  Result<> remove(const crypto::PublicKey& key, WallTime now);
  Result<> rename(const crypto::PublicKey& key, const std::string& name, WallTime now);
  /// Memory only; it goes to the store with the next change.
  void touch(const crypto::PublicKey& key, WallTime now);

  // Setup keys.
  /// Why it admits nobody; nothing: it does.
  static std::optional<KeyRefusal> refusal_of(const SetupKeyRecord& key, WallTime now);
  Result<> put_setup_key(const SetupKeyRecord& key);

  /// What changed after `serial`: WireGuard keys of machines that are new, changed or gone. Nothing
  /// if that is too long ago to say.
  std::optional<std::set<crypto::PublicKey>> changed_since(std::uint64_t serial) const;

 private:
  Roster(Store& store, Random& random) : store_(store), random_(random) {}
  Result<> commit(Changes changes, const std::optional<crypto::PublicKey>& changed, WallTime now);
  std::uint64_t next_serial(WallTime now) const;
  std::optional<IpAddress> free_address();
  void set_taken(const IpAddress& address, bool taken);
  IpAddress v6_of(const IpAddress& v4) const;

  Store& store_;
  Random& random_;
  NetworkRecord network_;
  std::map<crypto::PublicKey, PeerRecord> peers_;
  std::map<std::string, crypto::PublicKey> by_name_;
  std::vector<bool> hosts_taken_;  // by the last 16 bits of the address
  std::size_t hosts_free_ = 0;
  std::map<std::string, SetupKeyRecord> setup_keys_;  // by id
  std::map<std::string, std::string> ids_by_hash_;
  struct Change {
    std::uint64_t serial;
    crypto::PublicKey key;
  };
  std::deque<Change> log_;
  std::uint64_t log_begins_ = 0;  // changes up to this serial are not in the log any more
};

}  // namespace trellis::server
