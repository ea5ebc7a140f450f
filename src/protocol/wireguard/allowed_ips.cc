#include "protocol/wireguard/allowed_ips.h"

#include "base/result.h"

#include <algorithm>
#include <bit>

namespace trellis::wireguard {

namespace {

constexpr std::size_t kDepthMax = 32;  // four bits each

/// The four bits that a prefix ends in: those of a whole address end behind its last ones.
unsigned depth_of(std::uint8_t length) { return length / 4U; }

/// The highest n bits, up to 64 of them.
std::uint64_t high_bits(unsigned n) { return n == 0 ? 0 : ~std::uint64_t{0} << (64 - n); }

}  // namespace

// --- Keys -------------------------------------------------------------------------------------

AllowedIps::Key AllowedIps::key_of(const IpAddress& address) {
  const ByteView bytes = address.bytes();
  if (address.is_v4()) return {std::uint64_t{Reader(bytes).read<be32>()} << 32, 0};
  Reader reader(bytes);
  const std::uint64_t high = reader.read<be64>();
  return {high, reader.read<be64>()};
}

unsigned AllowedIps::nibble(const Key& key, unsigned depth) {
  return static_cast<unsigned>(key[depth / 16] >> (60 - 4 * (depth % 16)) & 15);
}

/// How many leading bits are the same, `limit` at most.
unsigned AllowedIps::common_bits(const Key& a, const Key& b, unsigned limit) {
  const std::uint64_t high = a[0] ^ b[0];
  const int same = high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(a[1] ^ b[1]);
  return std::min(static_cast<unsigned>(same), limit);
}

bool AllowedIps::contains(const Route& route, const Key& key) {
  const unsigned length = route.length;
  const std::uint64_t high = (route.key[0] ^ key[0]) & high_bits(std::min(length, 64U));
  const std::uint64_t low = (route.key[1] ^ key[1]) & high_bits(length > 64 ? length - 64 : 0);
  return (high | low) == 0;
}

Prefix AllowedIps::prefix_of(const Route& route) {
  const std::array<be64, 2> words{route.key[0], route.key[1]};
  const ByteView bytes = std::as_bytes(std::span(words));
  const bool v4 = route.family == IpAddress::Family::V4;
  return Prefix(IpAddress::from_bytes(bytes.first(v4 ? 4 : 16)), route.length);
}

// --- Lookups ----------------------------------------------------------------------------------

std::optional<PeerId> AllowedIps::find(const IpAddress& address) const {
  const Key key = key_of(address);
  // Every route that contains the address is on this way, the longest one last.
  std::array<Index, kDepthMax> passed;
  std::size_t count = 0;
  Place at = roots_[address.is_v4() ? 0 : 1];
  while (at.is_node()) {
    if (at.has_routes()) passed[count++] = at.index();
    at = children_[at.index()].at[nibble(key, at.depth())];
  }
  if (at.is_route() && contains(routes_[at.index()], key)) return routes_[at.index()].peer;
  while (count > 0) {
    for (Index i = rests_[passed[--count]].routes; i != kNone; i = routes_[i].next) {
      if (contains(routes_[i], key)) return routes_[i].peer;
    }
  }
  return std::nullopt;
}

AllowedIps::Index AllowedIps::find_exactly(const Prefix& prefix) const {
  const Key key = key_of(prefix.address());
  const unsigned depth = depth_of(prefix.length());
  const auto is_it = [&](Index i) {
    return routes_[i].length == prefix.length() && routes_[i].key == key;
  };
  Place at = roots_[prefix.address().is_v4() ? 0 : 1];
  while (at.is_node() && at.depth() < depth) at = children_[at.index()].at[nibble(key, at.depth())];
  if (at.is_route()) return is_it(at.index()) ? at.index() : kNone;
  if (at.is_empty() || at.depth() > depth) return kNone;
  Index i = rests_[at.index()].routes;
  while (i != kNone && !is_it(i)) i = routes_[i].next;
  return i;
}

std::vector<Prefix> AllowedIps::prefixes(PeerId peer) const {
  std::vector<Prefix> result;
  const auto first = first_of_peer_.find(peer);
  if (first == first_of_peer_.end()) return result;
  for (Index i = first->second; i != kNone; i = of_same_peer_[i].next) {
    result.push_back(prefix_of(routes_[i]));
  }
  std::ranges::sort(result);
  return result;
}

// --- Changes ----------------------------------------------------------------------------------

void AllowedIps::insert(const Prefix& prefix, PeerId peer) {
  const Index old = find_exactly(prefix);
  if (old != kNone) {
    unlink(old);
    link(old, peer);
    return;
  }
  const Index route = make_route(prefix, peer);
  Place& top = root(prefix.address().family());
  top = add_below(top, route);
}

void AllowedIps::remove(const Prefix& prefix, PeerId peer) {
  const Index route = find_exactly(prefix);
  if (route != kNone && routes_[route].peer == peer) erase(route);
}

void AllowedIps::remove_all(PeerId peer) {
  for (auto first = first_of_peer_.find(peer); first != first_of_peer_.end();
       first = first_of_peer_.find(peer)) {
    erase(first->second);
  }
}

void AllowedIps::erase(Index route) {
  Place& top = root(routes_[route].family);
  top = remove_below(top, route);
  unlink(route);
  free_routes_.push_back(route);
}

AllowedIps::Index AllowedIps::make_route(const Prefix& prefix, PeerId peer) {
  const Route route{key_of(prefix.address()), peer, kNone, prefix.length(),
                    prefix.address().family()};
  Index index = static_cast<Index>(routes_.size());
  if (free_routes_.empty()) {
    routes_.push_back(route);
    of_same_peer_.emplace_back();
  } else {
    index = free_routes_.back();
    free_routes_.pop_back();
    routes_[index] = route;
  }
  link(index, peer);
  return index;
}

/// Puts the route in front of what the peer has.
void AllowedIps::link(Index route, PeerId peer) {
  const auto [first, fresh] = first_of_peer_.try_emplace(peer, route);
  routes_[route].peer = peer;
  of_same_peer_[route] = {kNone, fresh ? kNone : first->second};
  if (!fresh) of_same_peer_[first->second].previous = route;
  first->second = route;
}

void AllowedIps::unlink(Index route) {
  const auto [previous, next] = of_same_peer_[route];
  if (next != kNone) of_same_peer_[next].previous = previous;
  if (previous != kNone) {
    of_same_peer_[previous].next = next;
  } else if (next != kNone) {
    first_of_peer_[routes_[route].peer] = next;
  } else {
    first_of_peer_.erase(routes_[route].peer);
  }
}

AllowedIps::Place AllowedIps::make_node(unsigned depth, const Key& key) {
  if (free_nodes_.empty()) {
    CHECK(children_.size() < kNodesMax);
    children_.emplace_back();
    rests_.push_back({key, kNone});
    return Place::node(static_cast<Index>(children_.size() - 1), depth);
  }
  const Index index = free_nodes_.back();
  free_nodes_.pop_back();
  children_[index] = {};
  rests_[index] = {key, kNone};
  return Place::node(index, depth);
}

// Each of these returns what stands at the place of `at` or `node` afterwards.

AllowedIps::Place AllowedIps::add_below(Place at, Index route) {
  if (at.is_empty()) return Place::route(route);
  const Key& key = routes_[route].key;
  const Key other = at.is_node() ? rests_[at.index()].key : routes_[at.index()].key;
  const unsigned end = at.is_node() ? 4 * at.depth() : routes_[at.index()].length;
  const unsigned length = routes_[route].length;
  const unsigned depth = common_bits(key, other, std::min(end, length)) / 4;
  if (at.is_node() && depth == at.depth()) return add_to_node(at, route);
  Place fork = make_node(depth, key);
  if (at.is_node()) {
    children_[fork.index()].at[nibble(other, depth)] = at;
  } else {
    fork = add_to_node(fork, at.index());
  }
  return add_to_node(fork, route);
}

/// The node's depth is not beyond the end of the route, which fits to its key up to there.
AllowedIps::Place AllowedIps::add_to_node(Place node, Index route) {
  Route& added = routes_[route];
  if (depth_of(added.length) > node.depth()) {
    const unsigned side = nibble(added.key, node.depth());
    const Place child = add_below(children_[node.index()].at[side], route);
    children_[node.index()].at[side] = child;
    return node;
  }
  Index* before = &rests_[node.index()].routes;
  while (*before != kNone && routes_[*before].length > added.length) {
    before = &routes_[*before].next;
  }
  added.next = *before;
  *before = route;
  return node.with_routes(true);
}

/// The route is in the table.
AllowedIps::Place AllowedIps::remove_below(Place at, Index route) {
  if (at.is_route()) return {};
  const Place node = remove_from_node(at, route);
  return without_needless(node);
}

AllowedIps::Place AllowedIps::remove_from_node(Place node, Index route) {
  const Route& removed = routes_[route];
  if (depth_of(removed.length) > node.depth()) {
    Place& child = children_[node.index()].at[nibble(removed.key, node.depth())];
    child = remove_below(child, route);
    return node;
  }
  Index* before = &rests_[node.index()].routes;
  while (*before != route) {
    CHECK(*before != kNone);
    before = &routes_[*before].next;
  }
  *before = removed.next;
  return node.with_routes(rests_[node.index()].routes != kNone);
}

/// A node stays only while it holds several.
AllowedIps::Place AllowedIps::without_needless(Place node) {
  const Index only_route = rests_[node.index()].routes;
  if (only_route != kNone && routes_[only_route].next != kNone) return node;
  Place rest = only_route == kNone ? Place() : Place::route(only_route);
  for (const Place child : children_[node.index()].at) {
    if (child.is_empty()) continue;
    if (!rest.is_empty()) return node;
    rest = child;
  }
  free_nodes_.push_back(node.index());
  return rest;
}

}  // namespace trellis::wireguard
