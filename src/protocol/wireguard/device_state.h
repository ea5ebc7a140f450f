#pragma once

#include "base/token_bucket.h"
#include "protocol/wireguard/allowed_ips.h"
#include "protocol/wireguard/device.h"
#include "protocol/wireguard/load_gate.h"
#include "protocol/wireguard/mac.h"
#include "protocol/wireguard/peer.h"
#include "protocol/wireguard/shared.h"

#include <deque>
#include <map>
#include <set>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace trellis::wireguard {

/// What a device is made of. Internal to the module.
struct Device::State {
  State(Config config, Random& random, TimestampSource& timestamps);

  Peer& peer(PeerId id);
  const Peer& peer(PeerId id) const;
  void set_identity(const std::optional<crypto::PrivateKey>& key);

  /// To be called after everything that may have armed a timer of the peer.
  void reschedule(Peer& peer);

  // device_messages.cc
  void handle_initiation(TimePoint now, const Endpoint& from, const HandshakeInitiation& message);
  void handle_response(TimePoint now, const Endpoint& from, const HandshakeResponse& message);
  void handle_cookie(TimePoint now, const CookieReply& message);
  void handle_handshake(TimePoint now, const Endpoint& from, const Message& message);
  /// Data is opened all at once: begun one by one, finished in the same order.
  void begin_data(TimePoint now, const InboundDatagram& datagram, const DataMessage& message);
  void finish_data(TimePoint now, std::vector<InboundPacket>& packets);
  /// `granted`: a source that is known to be the peer's; may become this packet's.
  std::optional<InboundPacket> accept_inner(const Peer& from, MutableByteView text,
                                            std::optional<IpAddress>& granted);
  /// Whether there is time for it; sends a cookie where one is due.
  bool admit(TimePoint now, const Endpoint& from, const HandshakeInitiation& message);
  /// Whether it is an initiation in a flood that can be given no cookie: not worth a hash.
  bool is_worthless(TimePoint now, const Endpoint& from, const Message& message);
  /// Whether a peer is at this address, or was a second ago. For when we are under load.
  bool is_known(TimePoint now, const Endpoint& from);
  /// Answers a packet that is too big for its path.
  void refuse(TimePoint now, ByteView packet, std::size_t path_mtu);

  Shared shared;
  std::optional<CookieChecker> cookies;  // while there is an identity
  LoadGate gate;
  // A map, so that peers come in the order of their addition. After `shared`: a dying peer gives
  // its indices back.
  std::map<PeerId, Peer> peers{};
  std::unordered_map<crypto::PublicKey, PeerId> by_key{};
  AllowedIps allowed_ips{};
  std::uint32_t next_id = 1;
  // When to look at a peer's timers: never too late, sometimes too early, so that the packet path
  // need not touch it.
  std::set<std::pair<TimePoint, PeerId>> schedule{};

  std::unordered_set<IpAddress> known{};  // addresses of peers
  std::optional<TimePoint> known_read{};

  // Of the batch that is being sent or received; empty between calls, kept for their memory.
  struct Arrival {
    Peer* peer;
    SessionIndex index;
    Endpoint from;
    std::uint8_t traffic_class;
  };
  std::vector<crypto::SealPacket> seals{};
  std::vector<crypto::OpenPacket> opens{};
  std::vector<Arrival> arrivals{};  // of opens[i]

  std::deque<ByteVector> host_packets{};
  // As the kernel limits its own, more or less: hosts are told again with their next packet.
  TokenBucket refusals{100, 50};
};

}  // namespace trellis::wireguard
