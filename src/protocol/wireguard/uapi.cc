#include "protocol/wireguard/uapi.h"

#include "base/hex.h"
#include "base/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace trellis::wireguard::uapi {

namespace {

using Status = Expected<std::monostate, Errno>;
constexpr std::monostate kDone{};

template <std::unsigned_integral T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Decimal, or hexadecimal with 0x.
std::optional<std::uint32_t> parse_mark(std::string_view text) {
  if (text.starts_with("0x")) return parse_number<std::uint32_t>(text.substr(2), 16);
  return parse_number<std::uint32_t>(text);
}

/// 32 bytes in hex. The text and the bytes may be secret; whoever takes them wipes them.
std::optional<Bytes<32>> parse_key(std::string_view text) {
  if (text.size() != 64) return std::nullopt;
  return array_from_hex<32>(text);
}

bool is_zero(const Bytes<32>& bytes) { return crypto::equal(bytes, Bytes<32>{}); }

/// Runs the lines of one set=1 request, in order.
class Setter {
 public:
  Setter(Device& device, TimePoint now) : device_(device), now_(now) {}

  Status line(std::string_view key, std::string_view value) {
    if (key == "public_key") return begin_peer(value);
    if (place_ == Place::Interface) return interface_line(key, value);
    return peer_line(key, value);
  }

  /// After the last line.
  void finish() { finish_peer(); }

  Changes changes;

 private:
  // Where in the request we are. A peer's lines are read, but not done, if the peer is our own key,
  // is not there and shall only be updated, or has just been removed.
  enum class Place { Interface, Peer, SkippedPeer };

  Status interface_line(std::string_view key, std::string_view value) {
    if (key == "private_key") return set_private_key(value);
    if (key == "listen_port") {
      const auto port = parse_number<std::uint16_t>(value);
      if (!port) return fail(Errno::Invalid);
      changes.listen_port = port;
      return kDone;
    }
    if (key == "fwmark") {
      const auto mark = value.empty() ? std::optional<std::uint32_t>(0) : parse_mark(value);
      if (!mark) return fail(Errno::Invalid);
      changes.fwmark = mark;
      return kDone;
    }
    if (key == "replace_peers" && value == "true") {
      for (const PeerId peer : device_.peers()) device_.remove_peer(peer);
      return kDone;
    }
    return fail(Errno::Invalid);
  }

  Status set_private_key(std::string_view value) {
    auto bytes = parse_key(value);
    if (!bytes) return fail(Errno::Invalid);
    std::optional<crypto::PrivateKey> key;
    if (!is_zero(*bytes)) key.emplace(*bytes);
    zeroise(*bytes);
    device_.set_private_key(std::move(key));
    return kDone;
  }

  Status begin_peer(std::string_view value) {
    finish_peer();
    const auto bytes = parse_key(value);
    if (!bytes) return fail(Errno::Invalid);
    public_key_ = crypto::PublicKey{*bytes};
    place_ = Place::SkippedPeer;
    if (device_.public_key() == public_key_) return kDone;
    place_ = Place::Peer;
    existing_ = device_.find_peer(public_key_);
    return kDone;
  }

  Status peer_line(std::string_view key, std::string_view value) {
    if (key == "update_only") {
      if (value != "true") return fail(Errno::Invalid);
      if (added_) device_.remove_peer(*existing_);
      if (added_ || !existing_) place_ = Place::SkippedPeer;
      return kDone;
    }
    if (key == "remove") {
      if (value != "true") return fail(Errno::Invalid);
      if (place_ == Place::Peer && existing_) device_.remove_peer(*existing_);
      place_ = Place::SkippedPeer;
      return kDone;
    }
    if (key == "preshared_key") return set_preshared_key(value);
    if (key == "endpoint") return set_endpoint(value);
    if (key == "persistent_keepalive_interval") return set_keepalive(value);
    if (key == "replace_allowed_ips") {
      if (value != "true") return fail(Errno::Invalid);
      if (const auto peer = the_peer()) device_.set_allowed_ips(*peer, {});
      return kDone;
    }
    if (key == "allowed_ip") return change_allowed_ip(value);
    if (key == "protocol_version") {
      if (value != "1") return fail(Errno::Invalid);
      return kDone;
    }
    return fail(Errno::Invalid);
  }

  Status set_preshared_key(std::string_view value) {
    auto bytes = parse_key(value);
    if (!bytes) return fail(Errno::Invalid);
    crypto::PresharedKey key(*bytes);
    zeroise(*bytes);
    const auto peer = the_peer();
    if (!peer) return kDone;
    const crypto::PresharedKey* const before = device_.preshared_key(*peer);
    const bool is_new = !before || !crypto::equal(before->expose(), key.expose());
    device_.set_preshared_key(now_, *peer, std::move(key));
    // One that runs may have an answer under the old key under way.
    if (is_new && device_.has_usable_session(now_, *peer)) {
      device_.start_handshake(now_, *peer, Running::Cancel);
    }
    return kDone;
  }

  Status set_endpoint(std::string_view value) {
    const auto endpoint = Endpoint::parse(value);
    if (!endpoint) return fail(Errno::Invalid);
    if (const auto peer = the_peer()) device_.set_endpoint(now_, *peer, endpoint);
    return kDone;
  }

  Status set_keepalive(std::string_view value) {
    const auto seconds = parse_number<std::uint16_t>(value);
    if (!seconds) return fail(Errno::Invalid);
    // Done last, for it may send, and the peer's key or endpoint may stand further down.
    if (the_peer()) keepalive_ = std::chrono::seconds(*seconds);
    return kDone;
  }

  Status change_allowed_ip(std::string_view value) {
    const bool removes = value.starts_with('-');
    if (removes || value.starts_with('+')) value.remove_prefix(1);
    const auto prefix = Prefix::parse(value);
    if (!prefix || value.find('/') == std::string_view::npos) return fail(Errno::Invalid);
    const auto peer = the_peer();
    if (!peer) return kDone;
    if (removes) {
      device_.remove_allowed_ip(*peer, *prefix);
    } else {
      device_.add_allowed_ip(*peer, *prefix);
    }
    return kDone;
  }

  /// The peer whose lines are read, made now if it is new. Nothing: its lines are skipped.
  std::optional<PeerId> the_peer() {
    if (place_ != Place::Peer) return std::nullopt;
    if (!existing_) {
      const auto added = device_.add_peer(public_key_);
      CHECK(added);  // begin_peer has asked
      existing_ = *added;
      added_ = true;
      device_.set_preshared_key(now_, *existing_, crypto::PresharedKey::zero());
    }
    return existing_;
  }

  void finish_peer() {
    const auto peer = the_peer();  // a peer without any further line is still added
    if (peer && keepalive_) device_.set_persistent_keepalive(now_, *peer, *keepalive_);
    keepalive_.reset();
    existing_.reset();
    added_ = false;
  }

  Device& device_;
  TimePoint now_;
  Place place_ = Place::Interface;
  crypto::PublicKey public_key_;
  std::optional<PeerId> existing_;
  bool added_ = false;  // by this request
  std::optional<Duration> keepalive_;
};

void append_peer(std::string& text, const Device& device, PeerId id, TimePoint now,
                 WallTime wall_now) {
  const auto out = std::back_inserter(text);
  const PeerInfo info = device.info(id);
  fmt::format_to(out, "public_key={}\n", to_hex(info.public_key.bytes));
  const crypto::PresharedKey* const key = device.preshared_key(id);
  fmt::format_to(out, "preshared_key={}\n", key ? to_hex(key->expose()) : to_hex(Bytes<32>{}));
  text += "protocol_version=1\n";
  if (info.endpoint) fmt::format_to(out, "endpoint={}\n", info.endpoint->to_string());
  std::int64_t handshake = 0;
  if (info.last_handshake) {
    handshake = wall_now.nanoseconds_since_epoch - (now - *info.last_handshake).count();
    handshake = std::max<std::int64_t>(handshake, 0);  // a clock that was never set
  }
  constexpr std::int64_t kPerSecond = 1'000'000'000;
  fmt::format_to(out, "last_handshake_time_sec={}\nlast_handshake_time_nsec={}\n",
                 handshake / kPerSecond, handshake % kPerSecond);
  fmt::format_to(out, "tx_bytes={}\nrx_bytes={}\n", info.sent_bytes, info.received_bytes);
  fmt::format_to(
      out, "persistent_keepalive_interval={}\n",
      std::chrono::duration_cast<std::chrono::seconds>(info.persistent_keepalive).count());
  for (const Prefix& prefix : device.allowed_ips(id)) {
    fmt::format_to(out, "allowed_ip={}\n", prefix.to_string());
  }
}

}  // namespace

std::optional<Operation> parse_operation(std::string_view line) {
  if (line == "get=1") return Operation::Get;
  if (line == "set=1") return Operation::Set;
  if (line == "get=counters") return Operation::GetCounters;
  return std::nullopt;
}

std::string get(const Device& device, const Interface& interface, TimePoint now,
                WallTime wall_now) {
  std::string text;
  const auto out = std::back_inserter(text);
  if (const auto& key = device.private_key()) {
    fmt::format_to(out, "private_key={}\n", to_hex(key->expose()));
  }
  if (interface.listen_port != 0) fmt::format_to(out, "listen_port={}\n", interface.listen_port);
  if (interface.fwmark != 0) fmt::format_to(out, "fwmark={}\n", interface.fwmark);
  for (const PeerId peer : device.peers()) append_peer(text, device, peer, now, wall_now);
  text += answer(Errno::Ok);
  return text;
}

std::string get_counters(const Device& device, std::string_view others) {
  std::string text(others);
  for_each_counter(device.counters(), [&](const char* name, std::uint64_t value) {
    fmt::format_to(std::back_inserter(text), "{}={}\n", name, value);
  });
  text += answer(Errno::Ok);
  return text;
}

SetResult set(Device& device, TimePoint now, std::string_view lines) {
  Setter setter(device, now);
  if (lines.size() > kRequestBytesMax) return {Errno::Invalid, {}};
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (line.empty()) break;
    const std::size_t equals = line.find('=');
    if (line.size() > kLineBytesMax || equals == std::string_view::npos) {
      return {Errno::Protocol, setter.changes};
    }
    const Status status = setter.line(line.substr(0, equals), line.substr(equals + 1));
    if (!status) return {status.error(), setter.changes};
  }
  setter.finish();
  return {Errno::Ok, setter.changes};
}

std::string answer(Errno error) { return fmt::format("errno={}\n\n", static_cast<int>(error)); }

}  // namespace trellis::wireguard::uapi
