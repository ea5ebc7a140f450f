#pragma once

#include "server/management/roster.h"

#include <map>
#include <optional>
#include <set>
#include <string>

// Of protocol/control/management.pb.h, which is long.
namespace trellis::wire::management {
class PeerConfig;
class RemotePeerConfig;
}  // namespace trellis::wire::management

namespace trellis::server {

/// Writes maps for agents, as SyncResponse messages. A peer's entry is encoded once, not once for
/// each who is told of it: a map for one of a thousand is a thousand copies of bytes.
///
/// The policy: one group, in which all machines may reach each other; said explicitly, for a map
/// without rules means something else to each kind of agent.
class MapWriter {
 public:
  explicit MapWriter(const Roster& roster) : roster_(roster) {}

  wire::management::PeerConfig peer_config(const PeerRecord& peer) const;
  /// A whole map. `for_ours`: with the names of Rosenpass keys. `infrastructure`: encoded
  /// NetbirdConfig, or empty.
  ByteVector whole_map(const PeerRecord& reader, bool for_ours, const std::string& infrastructure);
  /// What changed since `base`, for an agent of ours, but for what it is told of itself: that is in
  /// whole maps only. Nothing if it takes a whole map.
  std::optional<ByteVector> update(std::uint64_t base, const crypto::PublicKey& reader);
  /// To a machine that was removed: nobody is left for it. [netbird-wire 2.12]
  ByteVector last_map(const PeerRecord& gone) const;

 private:
  /// The same message for all whom the changes do not concern.
  struct Update {
    ByteVector message;
    std::set<crypto::PublicKey> changed;
  };
  const Update* shared_update(std::uint64_t base);
  ByteVector write_update(std::uint64_t base, const std::set<crypto::PublicKey>& changed);
  /// Forgets what was encoded of machines that have changed since.
  void refresh();
  const std::string& entry(const PeerRecord& peer, bool for_ours);

  const Roster& roster_;
  std::map<std::pair<crypto::PublicKey, bool>, std::string> entries_;
  std::map<std::uint64_t, std::optional<Update>> updates_;  // by base
  std::uint64_t serial_ = 0;                                // that both are of
};

}  // namespace trellis::server
