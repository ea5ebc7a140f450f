#pragma once

#include "base/address.h"
#include "protocol/wireguard/ids.h"

#include <array>
#include <optional>
#include <unordered_map>
#include <vector>

namespace trellis::wireguard {

/// Cryptokey routing: which peer has an address, by the longest prefix that contains it. [WG 2]
///
/// A trie for each family whose nodes have sixteen children, one for each value of four bits. Nodes
/// with a single way through them are left out, so a lookup goes down without comparing, reads one
/// cache line a node, and compares what it finds. It holds up to 2^24 prefixes.
class AllowedIps {
 public:
  /// Takes the prefix away from whoever had it.
  void insert(const Prefix& prefix, PeerId peer);
  /// Nothing happens if the prefix is not this peer's.
  void remove(const Prefix& prefix, PeerId peer);
  /// Takes as long as the peer has prefixes.
  void remove_all(PeerId peer);
  std::optional<PeerId> find(const IpAddress& address) const;
  /// Of one peer, IPv4 first, in the order of addresses.
  std::vector<Prefix> prefixes(PeerId peer) const;

 private:
  /// An address from its first bit on, with zeros behind it.
  using Key = std::array<std::uint64_t, 2>;
  using Index = std::uint32_t;
  static constexpr Index kNone = ~Index{0};
  static constexpr std::size_t kNodesMax = std::size_t{1} << 24;

  /// A prefix in the table: what a lookup reads of it, in one cache line.
  struct alignas(32) Route {
    Key key;
    PeerId peer;
    Index next;  // shorter one of the same node; unused while not in a node
    std::uint8_t length;
    IpAddress::Family family;
  };
  /// The routes before and behind one in the list of its peer.
  struct Neighbours {
    Index previous;
    Index next;
  };

  /// What stands at a place in the trie: nothing, one route, or a node for several. The depth of a
  /// node is that of the four bits by which it branches: all routes below share those before.
  class Place {
   public:
    Place() = default;
    static Place route(Index index) { return Place(kRoute | index); }
    static Place node(Index index, unsigned depth) {
      return Place(kNode | depth << kDepthShift | index);
    }
    Place with_routes(bool has) const {
      return Place((bits_ & ~kHasRoutes) | (has ? kHasRoutes : 0));
    }

    bool is_route() const { return (bits_ & kKind) == kRoute; }
    bool is_node() const { return (bits_ & kKind) == kNode; }
    bool is_empty() const { return (bits_ & kKind) == 0; }
    /// Whether some routes end within the four bits of the node.
    bool has_routes() const { return (bits_ & kHasRoutes) != 0; }
    unsigned depth() const { return bits_ >> kDepthShift & 31; }
    Index index() const { return bits_ & (is_node() ? kNodeIndexMask : kRouteIndexMask); }

   private:
    static constexpr std::uint32_t kKind = 3U << 30;
    static constexpr std::uint32_t kRoute = 1U << 30;
    static constexpr std::uint32_t kNode = 2U << 30;
    static constexpr std::uint32_t kHasRoutes = 1U << 29;
    static constexpr unsigned kDepthShift = 24;
    static constexpr std::uint32_t kNodeIndexMask = (1U << kDepthShift) - 1;
    static constexpr std::uint32_t kRouteIndexMask = (1U << 30) - 1;

    explicit Place(std::uint32_t bits) : bits_(bits) {}

    std::uint32_t bits_ = 0;
  };

  struct alignas(64) Children {
    std::array<Place, 16> at;
  };
  /// What of a node a lookup does not need on its way down.
  struct NodeRest {
    Key key;       // of a route that is or was below: all share its bits before the node's
    Index routes;  // that end within its four bits, the longest first; kNone
  };

  static Key key_of(const IpAddress& address);
  static unsigned nibble(const Key& key, unsigned depth);
  static unsigned common_bits(const Key& a, const Key& b, unsigned limit);
  static bool contains(const Route& route, const Key& key);
  static Prefix prefix_of(const Route& route);

  Place& root(IpAddress::Family family) { return roots_[family == IpAddress::Family::V4 ? 0 : 1]; }
  Index find_exactly(const Prefix& prefix) const;

  Index make_route(const Prefix& prefix, PeerId peer);
  void link(Index route, PeerId peer);
  void unlink(Index route);
  void erase(Index route);

  Place make_node(unsigned depth, const Key& key);
  Place add_below(Place at, Index route);
  Place add_to_node(Place node, Index route);
  Place remove_below(Place at, Index route);
  Place remove_from_node(Place node, Index route);
  Place without_needless(Place node);

  std::vector<Route> routes_;
  std::vector<Neighbours> of_same_peer_;  // of each route
  std::vector<Index> free_routes_;
  std::vector<Children> children_;
  std::vector<NodeRest> rests_;
  std::vector<Index> free_nodes_;
  std::array<Place, 2> roots_{};
  std::unordered_map<PeerId, Index> first_of_peer_;
};

}  // namespace trellis::wireguard
