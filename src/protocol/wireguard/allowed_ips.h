#pragma once

#include "base/address.h"
#include "protocol/wireguard/ids.h"

#include <array>
#include <optional>
#include <vector>

namespace trellis::wireguard {

/// Cryptokey routing: which peer has an address, by the longest prefix that contains it. [WG 2]
///
/// One path-compressed binary trie for each family: as deep as an address has bits at most.
class AllowedIps {
 public:
  /// Takes the prefix away from whoever had it.
  void insert(const Prefix& prefix, PeerId peer);
  /// Nothing happens if the prefix is not this peer's.
  void remove(const Prefix& prefix, PeerId peer);
  void remove_all(PeerId peer);
  std::optional<PeerId> find(const IpAddress& address) const;
  /// Of one peer, IPv4 first, in the order of addresses.
  std::vector<Prefix> prefixes(PeerId peer) const;

 private:
  using NodeIndex = std::uint32_t;
  static constexpr NodeIndex kNone = ~NodeIndex{0};
  struct Node {
    Prefix prefix;
    std::optional<PeerId> peer;  // none: the node only branches
    std::array<NodeIndex, 2> children{kNone, kNone};
  };

  NodeIndex& root(const IpAddress& address) { return roots_[address.is_v4() ? 0 : 1]; }
  NodeIndex make_node(const Prefix& prefix, std::optional<PeerId> peer);
  NodeIndex insert_below(NodeIndex at, const Prefix& prefix, PeerId peer);
  NodeIndex remove_below(NodeIndex at, const Prefix& prefix, PeerId peer);
  NodeIndex remove_all_below(NodeIndex at, PeerId peer);
  NodeIndex without_needless(NodeIndex at);
  void list_below(NodeIndex at, PeerId peer, std::vector<Prefix>& result) const;

  std::vector<Node> nodes_;
  std::vector<NodeIndex> free_;
  std::array<NodeIndex, 2> roots_{kNone, kNone};
};

}  // namespace trellis::wireguard
