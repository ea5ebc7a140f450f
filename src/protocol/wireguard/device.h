#pragma once

#include "base/random.h"
#include "base/result.h"
#include "crypto/packet_batch.h"
#include "protocol/wireguard/config.h"
#include "protocol/wireguard/constants.h"
#include "protocol/wireguard/counters.h"
#include "protocol/wireguard/event.h"
#include "protocol/wireguard/timestamp.h"

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace trellis::wireguard {

/// An inner IP packet to send. Its buffer is the caller's, with Device::kHeadroom bytes before and
/// kTailroom bytes behind `bytes`, all of which may be overwritten. Packets that begin at a
/// multiple of 64 cost least.
struct OutboundPacket {
  MutableByteView bytes;
};

/// A finished datagram; `bytes` lie in the buffer of the packet that it was made of.
struct OutboundDatagram {
  PeerId peer;
  Endpoint to;
  ByteView bytes;
  std::uint8_t traffic_class = 0;  // for the IP header around it
  bool may_be_fragmented = false;  // the inner packet cannot be made smaller
};

/// What came from the network, with no room around it. Only what is data and opens is overwritten.
struct InboundDatagram {
  Endpoint from;
  MutableByteView bytes;
  std::uint8_t traffic_class = 0;  // of the IP header around it
};

/// An opened inner IP packet; `bytes` lie inside the datagram's.
struct InboundPacket {
  PeerId peer;
  MutableByteView bytes;
};

enum class DeviceError {
  OwnKey,        // a peer cannot have our own key
  AlreadyKnown,  // another peer has that key
};

/// The session that carries packets to a peer now.
struct SessionInfo {
  KeyId key;
  Role role;
  TimePoint established;
};

struct PeerInfo {
  PeerId id;
  crypto::PublicKey public_key;
  std::optional<Endpoint> endpoint;
  std::optional<TimePoint> last_handshake;
  Duration persistent_keepalive{};   // zero: none
  std::uint64_t received_bytes = 0;  // whole datagrams
  std::uint64_t sent_bytes = 0;
  std::optional<TimePoint> last_data;  // packets of users, either way
};

/// One WireGuard interface: all its peers, their handshakes, sessions and routes.
///
/// Pure: packets, datagrams and time in; datagrams, packets, events and a deadline out. Drain
/// `poll_transmit` and `poll_event` after every call that takes `now`.
class Device {
 public:
  static constexpr std::size_t kHeadroom = 64;  // the header needs 16; keeps packets aligned
  static constexpr std::size_t kTailroom = kPaddingUnit + crypto::kTagSize;

  /// `random` and `timestamps` must outlive the device.
  Device(Config config, Random& random, TimestampSource& timestamps);
  Device(Device&&) noexcept;
  Device& operator=(Device&&) noexcept;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  /// Ends all sessions, unless it is the key that the device has. A peer that has the new public
  /// key is removed. Nothing: no key.
  void set_private_key(std::optional<crypto::PrivateKey> key);
  const std::optional<crypto::PrivateKey>& private_key() const;
  std::optional<crypto::PublicKey> public_key() const;

  /// The peer has no preshared keys yet, so no handshake goes either way until it is given some.
  Expected<PeerId, DeviceError> add_peer(const crypto::PublicKey& key);
  void remove_peer(PeerId peer);
  std::optional<PeerId> find_peer(const crypto::PublicKey& key) const;
  /// In the order of their addition.
  std::vector<PeerId> peers() const;
  PeerInfo info(PeerId peer) const;

  /// Pair rule 1: as responder only `current` is mixed (without one, initiations of this peer are
  /// dropped silently and none is sent); as initiator all of `live` are tried, `current` first, on
  /// a response to our index. `current` must be in `live`. Sessions and a running handshake stay.
  void set_preshared_keys(TimePoint now, PeerId peer, std::optional<KeyId> current,
                          std::vector<LiveKey> live);
  /// Plain WireGuard: one key, or zero for none; its id is KeyId{0}.
  void set_preshared_key(TimePoint now, PeerId peer, crypto::PresharedKey key);
  /// Of `current`.
  const crypto::PresharedKey* preshared_key(PeerId peer) const;

  void set_endpoint(TimePoint now, PeerId peer, std::optional<Endpoint> endpoint);
  /// Zero: none. Sends one at once where there was none before.
  void set_persistent_keepalive(TimePoint now, PeerId peer, Duration interval);
  /// Prefixes that other peers had move to this one.
  void set_allowed_ips(PeerId peer, std::span<const Prefix> prefixes);
  /// Drops the packets that wait for a session with this peer.
  void drop_waiting(PeerId peer);
  void add_allowed_ip(PeerId peer, const Prefix& prefix);
  void remove_allowed_ip(PeerId peer, const Prefix& prefix);
  std::vector<Prefix> allowed_ips(PeerId peer) const;
  /// Whose packets come from and go to this inner address.
  std::optional<PeerId> peer_at(const IpAddress& address) const;
  void set_mtu(std::size_t mtu);

  /// Begins at once, whatever sessions there are, if there is a current key and an endpoint.
  void start_handshake(TimePoint now, PeerId peer, Running running);
  /// Packets to the peer can be sent now.
  bool has_usable_session(TimePoint now, PeerId peer) const;
  std::optional<SessionInfo> session(TimePoint now, PeerId peer) const;

  /// Encrypts in place what there is a session for, all at once, and appends it to `datagrams`;
  /// what must wait is copied and comes out of `poll_transmit` later.
  void send(TimePoint now, std::span<const OutboundPacket> packets,
            std::vector<OutboundDatagram>& datagrams);
  /// Takes every type of message, in order, and data all at once between handshakes; appends opened
  /// packets whose source is the peer's to `packets`, without padding.
  void receive(TimePoint now, std::span<const InboundDatagram> datagrams,
               std::vector<InboundPacket>& packets);

  /// Datagrams to this address of a peer's were refused as longer than `payload_bytes_max`. From
  /// now on what does not fit is answered to the host that sent it, which then sends smaller
  /// packets; for kPathLimitLasts, then the path is tried again. Not below kPathPayloadMin.
  void note_path_limit(TimePoint now, const Endpoint& to, std::size_t payload_bytes_max);

  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;
  std::optional<Transmit> poll_transmit();
  std::optional<Event> poll_event();
  /// A whole IP packet for the host itself: what it sent is too big for the path. After `send`.
  std::optional<ByteVector> poll_host_packet();

  const Counters& counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace trellis::wireguard
