#include "server/management/roster.h"

#include "base/log.h"
#include "crypto/x25519.h"
#include "protocol/control/key_text.h"
#include "server/management/label.h"

#include <algorithm>

namespace trellis::server {
namespace {

constexpr std::size_t kLogMax = 20000;
constexpr const char* kDomain = "trellis.internal";
constexpr std::uint32_t kHosts = 1U << 16;

std::uint64_t milliseconds(WallTime time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time.nanoseconds_since_epoch, 0)) /
         1'000'000;
}

/// A /16 of 100.64.0.0/10, which is nobody's on the Internet. [RFC 6598]
Prefix random_v4(Random& random) {
  const auto second = static_cast<std::uint8_t>(64 + random.below(64));
  return Prefix(IpAddress::v4({std::byte{100}, std::byte{second}, std::byte{0}, std::byte{0}}), 16);
}

/// A /64 with a random global id and subnet. [RFC 4193 3.1]
Prefix random_v6(Random& random) {
  Bytes<16> bytes{};
  random.fill(MutableByteView(bytes).first(8));
  bytes[0] = std::byte{0xfd};
  return Prefix(IpAddress::v6(bytes), 64);
}

IpAddress host_of(const Prefix& network, std::uint32_t host) {
  Bytes<4> bytes = to_array<4>(network.address().bytes());
  bytes[2] = static_cast<std::byte>(host >> 8);
  bytes[3] = static_cast<std::byte>(host & 0xff);
  return IpAddress::v4(bytes);
}

std::uint32_t host_in(const IpAddress& address) {
  const ByteView bytes = address.bytes();
  return std::to_integer<std::uint32_t>(bytes[2]) << 8 | std::to_integer<std::uint32_t>(bytes[3]);
}

NetworkRecord new_network(Random& random) {
  NetworkRecord network;
  network.box = crypto::generate_private_key(random);
  network.v4 = random_v4(random);
  network.v6 = random_v6(random);
  network.domain = kDomain;
  return network;
}

}  // namespace

const char* to_string(KeyRefusal refusal) {
  switch (refusal) {
    case KeyRefusal::Unknown:
      return "unknown";
    case KeyRefusal::Revoked:
      return "revoked";
    case KeyRefusal::Expired:
      return "expired";
    case KeyRefusal::UsedUp:
      return "used up";
  }
  CHECK(false);
  return "";
}

Result<Roster> Roster::open(Store& store, Random& random, WallTime now) {
  Roster roster(store, random);
  Snapshot snapshot = TRY(store.load());
  if (snapshot.network) {
    roster.network_ = *std::move(snapshot.network);
  } else {
    roster.network_ = new_network(random);
    Changes changes;
    changes.network = roster.network_.clone();
    TRY(store.commit(changes));
    LOG(info, "server", "made a new network v4={} v6={}", roster.network_.v4.to_string(),
        roster.network_.v6.to_string());
  }
  roster.hosts_taken_.assign(kHosts, false);
  roster.hosts_taken_[0] = roster.hosts_taken_[kHosts - 1] = true;  // network, broadcast
  roster.hosts_free_ = kHosts - 2;
  for (PeerRecord& peer : snapshot.peers) {
    roster.by_name_[peer.name] = peer.key;
    roster.set_taken(peer.v4, true);
    roster.peers_[peer.key] = std::move(peer);
  }
  for (SetupKeyRecord& key : snapshot.setup_keys) {
    roster.ids_by_hash_[key.hash] = key.id;
    roster.setup_keys_[key.id] = std::move(key);
  }
  // What agents were shown by a store that a backup has replaced was below the clock of then.
  Changes changes;
  changes.serial = roster.next_serial(now);
  TRY(store.commit(changes));
  roster.network_.serial = *changes.serial;
  roster.log_begins_ = *changes.serial;
  return roster;
}

const PeerRecord* Roster::find(const crypto::PublicKey& key) const {
  const auto it = peers_.find(key);
  return it == peers_.end() ? nullptr : &it->second;
}

const PeerRecord* Roster::find(std::string_view text) const {
  if (const auto it = by_name_.find(std::string(text)); it != by_name_.end()) {
    return find(it->second);
  }
  if (const auto address = IpAddress::parse(text)) {
    for (const auto& [key, peer] : peers_) {
      if (peer.v4 == *address || peer.v6 == *address) return &peer;
    }
  }
  const auto key = control::parse_key_text(text);
  return key ? find(*key) : nullptr;
}

// ---- changes ---------------------------------------------------------------------------------

std::uint64_t Roster::next_serial(WallTime now) const {
  return std::max(network_.serial + 1, milliseconds(now));
}

/// To the store, then to memory. `changed`: the machine whose entry in others' maps changes.
Result<> Roster::commit(Changes changes, const std::optional<crypto::PublicKey>& changed,
                        WallTime now) {
  if (changed) changes.serial = next_serial(now);
  TRY(store_.commit(changes));
  if (changes.serial) network_.serial = *changes.serial;
  for (const crypto::PublicKey& key : changes.removed_peers) {
    const PeerRecord& gone = peers_.at(key);
    by_name_.erase(gone.name);
    set_taken(gone.v4, false);
    peers_.erase(key);
  }
  for (PeerRecord& peer : changes.put_peers) {
    if (const auto it = peers_.find(peer.key); it != peers_.end()) by_name_.erase(it->second.name);
    by_name_[peer.name] = peer.key;
    set_taken(peer.v4, true);
    const crypto::PublicKey key = peer.key;
    peers_[key] = std::move(peer);
  }
  for (SetupKeyRecord& key : changes.put_setup_keys) {
    ids_by_hash_[key.hash] = key.id;
    setup_keys_[key.id] = std::move(key);
  }
  if (!changed) return {};
  log_.push_back({network_.serial, *changed});
  if (log_.size() > kLogMax) {
    log_begins_ = log_.front().serial;
    log_.pop_front();
  }
  return {};
}

std::optional<std::set<crypto::PublicKey>> Roster::changed_since(std::uint64_t serial) const {
  if (serial < log_begins_ || serial > network_.serial) return std::nullopt;
  std::set<crypto::PublicKey> keys;
  for (auto it = log_.rbegin(); it != log_.rend() && it->serial > serial; ++it) {
    keys.insert(it->key);
  }
  return keys;
}

// ---- machines --------------------------------------------------------------------------------

std::optional<KeyRefusal> Roster::refusal_of(const SetupKeyRecord& key, WallTime now) {
  if (key.revoked) return KeyRefusal::Revoked;
  if (key.expires && *key.expires <= now) return KeyRefusal::Expired;
  if (!key.reusable && key.used > 0) return KeyRefusal::UsedUp;
  if (key.reusable && key.usage_limit != 0 && key.used >= key.usage_limit) {
    return KeyRefusal::UsedUp;
  }
  return std::nullopt;
}

void Roster::set_taken(const IpAddress& address, bool taken) {
  const std::uint32_t host = host_in(address);
  if (hosts_taken_[host] == taken) return;
  hosts_taken_[host] = taken;
  if (taken) {
    --hosts_free_;
  } else {
    ++hosts_free_;
  }
}

/// A random one, so that the address of a machine that is gone does not at once belong to another.
std::optional<IpAddress> Roster::free_address() {
  if (hosts_free_ == 0) return std::nullopt;
  auto host = static_cast<std::uint32_t>(random_.below(kHosts));
  while (hosts_taken_[host]) host = (host + 1) % kHosts;
  return host_of(network_.v4, host);
}

IpAddress Roster::v6_of(const IpAddress& v4) const {
  Bytes<16> bytes = to_array<16>(network_.v6.address().bytes());
  bytes[14] = v4.bytes()[2];
  bytes[15] = v4.bytes()[3];
  return IpAddress::v6(bytes);
}

Expected<const PeerRecord*, std::variant<KeyRefusal, Error>> Roster::admit(
    const Introduction& introduction, const control::SetupKey& setup_key, WallTime now) {
  using Refusal = std::variant<KeyRefusal, Error>;
  CHECK(!find(introduction.key));
  const auto id = ids_by_hash_.find(setup_key.hash());
  if (id == ids_by_hash_.end()) return fail(Refusal(KeyRefusal::Unknown));
  SetupKeyRecord key = setup_keys_.at(id->second);
  if (const auto refusal = refusal_of(key, now)) return fail(Refusal(*refusal));
  const auto address = free_address();
  if (!address) return fail(Refusal(Error{"all addresses of the network are taken"}));

  PeerRecord peer;
  peer.key = introduction.key;
  peer.name = unique_label(label_of(introduction.host_name),
                           [this](const std::string& name) { return by_name_.contains(name); });
  peer.v4 = *address;
  peer.v6 = v6_of(*address);
  peer.key_name = introduction.key_name;
  peer.key_complete = introduction.key_complete;
  peer.ephemeral = key.ephemeral;
  peer.setup_key = key.id;
  peer.created = now;
  peer.last_seen = now;
  peer.host_name = introduction.host_name;
  peer.version = introduction.version;
  peer.system = introduction.system;

  ++key.used;
  Changes changes;
  changes.put_peers.push_back(peer);
  changes.put_setup_keys.push_back(std::move(key));
  const bool concerns_others = visible(peer);
  const auto done =
      commit(std::move(changes), concerns_others ? std::optional(peer.key) : std::nullopt, now);
  if (!done) return fail(Refusal(done.error()));
  return find(introduction.key);
}

Result<> Roster::update(const PeerRecord& peer, WallTime now) {
  const PeerRecord* before = find(peer.key);
  CHECK(before != nullptr);
  const bool concerns_others =
      (visible(*before) || visible(peer)) &&
      (visible(*before) != visible(peer) || before->name != peer.name ||
       before->key_name != peer.key_name || before->version != peer.version);
  Changes changes;
  changes.put_peers.push_back(peer);
  return commit(std::move(changes), concerns_others ? std::optional(peer.key) : std::nullopt, now);
}

Result<> Roster::remove(const crypto::PublicKey& key, WallTime now) {
  Changes changes;
  changes.removed_peers.push_back(key);
  return commit(std::move(changes), key, now);
}

Result<> Roster::rename(const crypto::PublicKey& key, const std::string& name, WallTime now) {
  PeerRecord peer = *find(key);
  if (peer.name == name) return {};
  if (!is_label(name)) {
    return fail_with("a name has small letters, digits and hyphens, 63 characters at most");
  }
  if (by_name_.contains(name)) return fail_with("another machine is named " + name);
  peer.name = name;
  return update(peer, now);
}

void Roster::touch(const crypto::PublicKey& key, WallTime now) {
  const auto it = peers_.find(key);
  if (it != peers_.end()) it->second.last_seen = now;
}

Result<> Roster::put_setup_key(const SetupKeyRecord& key) {
  Changes changes;
  changes.put_setup_keys.push_back(key);
  return commit(std::move(changes), std::nullopt, WallTime{});
}

}  // namespace trellis::server
