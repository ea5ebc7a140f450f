#include "server/management/map_writer.h"

#include "protocol/control/key_text.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/message.h"

namespace trellis::server {
namespace {

using wire::management::FirewallRule;
using wire::management::NetworkMap;
using wire::management::PeerConfig;
using wire::management::RemotePeerConfig;
using wire::management::SyncResponse;

constexpr std::size_t kUpdatesMax = 64;

// A field of length and bytes, as protobuf writes it. [protobuf encoding]
void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>((value & 0x7f) | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void append_field(std::string& out, int number, const std::string& bytes) {
  append_varint(out, (static_cast<std::uint64_t>(number) << 3) | 2);
  append_varint(out, bytes.size());
  out += bytes;
}

/// Everybody may reach everybody, both ways.
void add_rules(NetworkMap& map) {
  for (const auto direction : {FirewallRule::IN, FirewallRule::OUT}) {
    FirewallRule& rule = *map.add_firewall_rules();
    rule.set_peer_ip("0.0.0.0");
    rule.set_direction(direction);
    rule.set_action(wire::management::ACCEPT);
    rule.set_protocol(wire::management::ALL);
  }
  map.set_route_firewall_rules_is_empty(true);
}

ByteVector to_bytes(const std::string& text) { return to_vector(as_bytes(text)); }

}  // namespace

PeerConfig MapWriter::peer_config(const PeerRecord& peer) const {
  const NetworkRecord& network = roster_.network();
  PeerConfig config;
  config.set_address(peer.v4.to_string() + "/" + std::to_string(network.v4.length()));
  config.set_fqdn(peer.name + "." + network.domain);
  std::string v6 = control::to_field(peer.v6.bytes());
  v6.push_back(static_cast<char>(network.v6.length()));
  config.set_address_v6(v6);
  return config;
}

const std::string& MapWriter::entry(const PeerRecord& peer, bool for_ours) {
  std::string& known = entries_[{peer.key, for_ours}];
  if (!known.empty()) return known;
  RemotePeerConfig config;
  config.set_wg_key(control::key_text(peer.key));
  config.add_allowed_ips(peer.v4.to_string() + "/32");
  config.add_allowed_ips(peer.v6.to_string() + "/128");
  config.set_fqdn(peer.name + "." + roster_.network().domain);
  config.set_agent_version(peer.version);
  if (for_ours && peer.key_name) config.set_trellis_key_name(control::to_field(*peer.key_name));
  known = config.SerializeAsString();
  return known;
}

void MapWriter::refresh() {
  if (serial_ == roster_.serial()) return;
  updates_.clear();
  if (const auto changed = roster_.changed_since(serial_)) {
    for (const crypto::PublicKey& key : *changed) {
      entries_.erase({key, false});
      entries_.erase({key, true});
    }
  } else {
    entries_.clear();
  }
  serial_ = roster_.serial();
}

ByteVector MapWriter::whole_map(const PeerRecord& reader, bool for_ours,
                                const std::string& infrastructure) {
  refresh();
  NetworkMap head;
  head.set_serial(roster_.serial());
  *head.mutable_peer_config() = peer_config(reader);
  add_rules(head);
  std::string peers;
  for (const auto& [key, peer] : roster_.peers()) {
    if (key == reader.key || !Roster::visible(peer)) continue;
    append_field(peers, NetworkMap::kRemotePeersFieldNumber, entry(peer, for_ours));
  }
  head.set_remote_peers_is_empty(peers.empty());
  SyncResponse response;
  *response.mutable_peer_config() = head.peer_config();
  response.set_remote_peers_is_empty(true);

  std::string bytes;
  if (!infrastructure.empty()) {
    append_field(bytes, SyncResponse::kInfrastructureFieldNumber, infrastructure);
  }
  bytes += response.SerializeAsString();
  append_field(bytes, SyncResponse::kNetworkMapFieldNumber, head.SerializeAsString() + peers);
  return to_bytes(bytes);
}

std::optional<ByteVector> MapWriter::update(std::uint64_t base, const crypto::PublicKey& reader) {
  refresh();
  const Update* shared = shared_update(base);
  if (!shared) return std::nullopt;
  if (!shared->changed.contains(reader)) return shared->message;
  std::set<crypto::PublicKey> others = shared->changed;
  others.erase(reader);
  return write_update(base, others);
}

const MapWriter::Update* MapWriter::shared_update(std::uint64_t base) {
  if (updates_.size() > kUpdatesMax) updates_.clear();
  const auto known = updates_.find(base);
  if (known != updates_.end()) return known->second ? &*known->second : nullptr;
  std::optional<Update>& made = updates_[base];
  auto changed = roster_.changed_since(base);
  if (!changed) return nullptr;
  ByteVector message = write_update(base, *changed);
  made.emplace(Update{std::move(message), *std::move(changed)});
  return &*made;
}

ByteVector MapWriter::write_update(std::uint64_t base, const std::set<crypto::PublicKey>& changed) {
  wire::management::SyncResponse response;
  wire::management::TrellisUpdate& update = *response.mutable_trellis();
  update.set_base_serial(base);
  update.set_serial(roster_.serial());
  for (const crypto::PublicKey& key : changed) {
    const PeerRecord* peer = roster_.find(key);
    if (peer && Roster::visible(*peer)) {
      update.add_changed()->ParseFromString(entry(*peer, /*for_ours=*/true));
    } else {
      update.add_removed(control::key_text(key));
    }
  }
  return control::format_message(response);
}

ByteVector MapWriter::last_map(const PeerRecord& gone) const {
  SyncResponse response;
  *response.mutable_peer_config() = peer_config(gone);
  response.set_remote_peers_is_empty(true);
  NetworkMap& map = *response.mutable_network_map();
  map.set_serial(roster_.serial());
  *map.mutable_peer_config() = response.peer_config();
  map.set_remote_peers_is_empty(true);
  map.set_firewall_rules_is_empty(true);
  map.set_route_firewall_rules_is_empty(true);
  return control::format_message(response);
}

}  // namespace trellis::server
