#include "protocol/wireguard/allowed_ips.h"

#include <algorithm>
#include <bit>

namespace trellis::wireguard {

namespace {

unsigned bit_at(const IpAddress& address, std::size_t position) {
  const auto byte = std::to_integer<unsigned>(address.bytes()[position / 8]);
  return (byte >> (7 - position % 8)) & 1;
}

/// How many leading bits are the same, `limit` at most.
std::uint8_t common_bits(const IpAddress& a, const IpAddress& b, std::uint8_t limit) {
  for (std::size_t i = 0; i * 8 < limit; ++i) {
    const auto difference =
        std::to_integer<std::uint8_t>(a.bytes()[i]) ^ std::to_integer<std::uint8_t>(b.bytes()[i]);
    if (difference == 0) continue;
    const auto same =
        i * 8 + static_cast<std::size_t>(std::countl_zero(static_cast<std::uint8_t>(difference)));
    return static_cast<std::uint8_t>(std::min<std::size_t>(same, limit));
  }
  return limit;
}

}  // namespace

void AllowedIps::insert(const Prefix& prefix, PeerId peer) {
  const NodeIndex top = insert_below(root(prefix.address()), prefix, peer);
  root(prefix.address()) = top;
}

void AllowedIps::remove(const Prefix& prefix, PeerId peer) {
  const NodeIndex top = remove_below(root(prefix.address()), prefix, peer);
  root(prefix.address()) = top;
}

void AllowedIps::remove_all(PeerId peer) {
  for (NodeIndex& top : roots_) top = remove_all_below(top, peer);
}

std::optional<PeerId> AllowedIps::find(const IpAddress& address) const {
  std::optional<PeerId> best;
  NodeIndex at = roots_[address.is_v4() ? 0 : 1];
  while (at != kNone && nodes_[at].prefix.contains(address)) {
    const Node& node = nodes_[at];
    if (node.peer) best = node.peer;
    if (node.prefix.length() == address.bits()) break;
    at = node.children[bit_at(address, node.prefix.length())];
  }
  return best;
}

std::vector<Prefix> AllowedIps::prefixes(PeerId peer) const {
  std::vector<Prefix> result;
  for (const NodeIndex top : roots_) list_below(top, peer, result);
  return result;
}

AllowedIps::NodeIndex AllowedIps::make_node(const Prefix& prefix, std::optional<PeerId> peer) {
  const Node node{prefix, peer, {kNone, kNone}};
  if (free_.empty()) {
    nodes_.push_back(node);
    return static_cast<NodeIndex>(nodes_.size() - 1);
  }
  const NodeIndex index = free_.back();
  free_.pop_back();
  nodes_[index] = node;
  return index;
}

/// Each of these returns what stands at the place of `at` afterwards.
AllowedIps::NodeIndex AllowedIps::insert_below(NodeIndex at, const Prefix& prefix, PeerId peer) {
  if (at == kNone) return make_node(prefix, peer);
  const Prefix here = nodes_[at].prefix;
  const std::uint8_t common =
      common_bits(here.address(), prefix.address(), std::min(here.length(), prefix.length()));
  if (common == here.length() && common == prefix.length()) {
    nodes_[at].peer = peer;
    return at;
  }
  if (common == here.length()) {  // below this node
    const unsigned side = bit_at(prefix.address(), common);
    const NodeIndex child = insert_below(nodes_[at].children[side], prefix, peer);
    nodes_[at].children[side] = child;
    return at;
  }
  if (common == prefix.length()) {  // above this node
    const NodeIndex above = make_node(prefix, peer);
    nodes_[above].children[bit_at(here.address(), common)] = at;
    return above;
  }
  const NodeIndex fork = make_node(Prefix(prefix.address(), common), std::nullopt);
  const NodeIndex leaf = make_node(prefix, peer);
  nodes_[fork].children[bit_at(prefix.address(), common)] = leaf;
  nodes_[fork].children[bit_at(here.address(), common)] = at;
  return fork;
}

AllowedIps::NodeIndex AllowedIps::remove_below(NodeIndex at, const Prefix& prefix, PeerId peer) {
  if (at == kNone) return at;
  Node& node = nodes_[at];
  if (node.prefix == prefix) {
    if (node.peer == peer) node.peer.reset();
    return without_needless(at);
  }
  if (node.prefix.length() >= prefix.length() || !node.prefix.contains(prefix.address())) return at;
  NodeIndex& child = node.children[bit_at(prefix.address(), node.prefix.length())];
  child = remove_below(child, prefix, peer);
  return without_needless(at);
}

AllowedIps::NodeIndex AllowedIps::remove_all_below(NodeIndex at, PeerId peer) {
  if (at == kNone) return at;
  Node& node = nodes_[at];
  if (node.peer == peer) node.peer.reset();
  for (NodeIndex& child : node.children) child = remove_all_below(child, peer);
  return without_needless(at);
}

/// A node without a peer stays only while it branches.
AllowedIps::NodeIndex AllowedIps::without_needless(NodeIndex at) {
  const auto [left, right] = nodes_[at].children;
  if (nodes_[at].peer || (left != kNone && right != kNone)) return at;
  free_.push_back(at);
  return left != kNone ? left : right;
}

void AllowedIps::list_below(NodeIndex at, PeerId peer, std::vector<Prefix>& result) const {
  if (at == kNone) return;
  if (nodes_[at].peer == peer) result.push_back(nodes_[at].prefix);
  for (const NodeIndex child : nodes_[at].children) list_below(child, peer, result);
}

}  // namespace trellis::wireguard
