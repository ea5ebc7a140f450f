#pragma once

#include "base/address.h"
#include "protocol/wireguard/load_gate.h"
#include "protocol/wireguard/mac.h"
#include "protocol/wireguard/noise.h"
#include "protocol/wireguard/session_slots.h"
#include "protocol/wireguard/shared.h"

#include <deque>
#include <optional>
#include <variant>
#include <vector>

namespace trellis::wireguard {

/// One peer of a device: its handshake, its sessions, its timers. Internal to the module.
///
///              begin_handshake             response opens
///        Idle -----------------> InitiationSent --------> Idle, new current session
///          ^       retry: a new initiation |
///          `-------------------------------' kRekeyAttemptTime is over, or no key is left
///
/// An initiation that comes is answered in one step, in either state, and leaves the state alone.
class Peer {
 public:
  /// `shared` outlives the peer, which does not move: the index table names it.
  Peer(PeerId id, const crypto::PublicKey& public_key, Shared& shared);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer();

  PeerId id() const { return id_; }
  const crypto::PublicKey& public_key() const { return remote_.public_key; }
  const std::optional<Endpoint>& endpoint() const { return endpoint_; }
  std::optional<TimePoint> last_handshake() const { return last_handshake_; }
  Duration persistent_keepalive() const { return persistent_keepalive_; }
  std::uint64_t received_bytes() const { return received_bytes_; }
  std::uint64_t sent_bytes() const { return sent_bytes_; }
  std::optional<TimePoint> last_data() const { return last_data_; }
  const crypto::PresharedKey* preshared_key() const;
  /// The session that packets go out under now, if there is one.
  const Session* usable_session(TimePoint now) const;

  /// Our identity has changed: all that was made with the old one goes.
  void reset_identity();
  /// `live` begins with the current key if `has_current`.
  void set_preshared_keys(TimePoint now, bool has_current, std::vector<LiveKey> live);
  void set_endpoint(TimePoint now, std::optional<Endpoint> endpoint);
  void set_persistent_keepalive(TimePoint now, Duration interval);
  void start_handshake(TimePoint now, Running running);

  void handle_initiation(TimePoint now, const Endpoint& from, InitiationOpened opened);
  /// To an index of this peer's.
  void handle_response(TimePoint now, const Endpoint& from, const HandshakeResponse& message);
  void handle_cookie(TimePoint now, const CookieReply& message);
  /// Whether a response to this index is awaited, and there is time for it.
  bool awaits_response(TimePoint now, SessionIndex index);

  /// Makes a data message in place, to be sealed before anything else is asked of the peer, if
  /// there is a session; otherwise keeps a copy and asks for one. Nothing: there is nothing to send
  /// now.
  std::optional<crypto::SealPacket> send(TimePoint now, MutableByteView packet);

  /// Data to an index of this peer's: what is to be opened. The key stays while no handshake is
  /// handled.
  std::optional<crypto::OpenPacket> begin_receive(TimePoint now, const DataMessage& message,
                                                  MutableByteView datagram);
  /// The same, opened or not. The opened text, or nothing if it is no (fresh) data: keepalives.
  std::optional<MutableByteView> finish_receive(TimePoint now, const Endpoint& from,
                                                SessionIndex index,
                                                const crypto::OpenPacket& packet);

  void drop_waiting() { staged_.clear(); }

  /// Datagrams to the endpoint that carry more than this do not pass.
  void note_path_limit(TimePoint now, std::size_t payload_bytes_max);
  /// The longest inner packet that passes, if that is known of the path.
  std::optional<std::size_t> path_mtu(TimePoint now) const;

  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const { return timers_.next(); }

  /// When the device will look at this peer's timers; kept here for it. Not later than
  /// `next_timeout`.
  std::optional<TimePoint> scheduled;

 private:
  struct Idle {};
  using Handshake = std::variant<Idle, InitiationSent>;

  // RetransmitHandshake: armed with each initiation, kept until it is answered or given up.
  // SendKeepalive:       armed by data received, disarmed by anything sent: the other end must hear
  //                      something within kKeepaliveTimeout of its data.
  // ExpectReply:         armed by data sent, disarmed by anything received: silence for that long
  //                      means that the session is dead.
  // ExpireSessions:      armed while there are sessions, for the end of the oldest.
  // PersistentKeepalive: armed for so long after anything sent or received, if it is wanted.
  enum class Timer {
    RetransmitHandshake,
    SendKeepalive,
    ExpectReply,
    ExpireSessions,
    PersistentKeepalive,
    kCount
  };

  // peer_handshake.cc
  bool may_handshake() const;
  /// If none runs and one may.
  void begin_handshake(TimePoint now);
  void send_initiation(TimePoint now);
  void retransmit_handshake(TimePoint now);
  void end_handshake();
  void session_established(TimePoint now, const Session& session);
  void note_keys_needed(TimePoint now);

  // peer.cc
  void count(OpenError error);
  void stage(TimePoint now, ByteView packet);
  void send_staged(TimePoint now);
  void send_keepalive(TimePoint now);
  void seal_and_transmit(TimePoint now, Session& session, ByteView packet);
  std::size_t padded_size(TimePoint now, std::size_t size) const;
  void note_endpoint(TimePoint now, const Endpoint& from);
  void note_authentic_received(TimePoint now, std::size_t datagram_bytes);
  void note_authentic_sent(TimePoint now, std::size_t datagram_bytes);
  void note_data_sent(TimePoint now, const Session& session);
  void note_data_received(TimePoint now);
  void arm_expiry();
  void transmit_handshake(const Endpoint& to, ByteView message);
  Duration jitter();

  PeerId id_;
  Shared& shared_;
  Remote remote_;
  CookieJar cookies_;
  std::vector<LiveKey> keys_;
  bool has_current_key_ = false;  // it is the first of keys_
  std::optional<Endpoint> endpoint_;
  Duration persistent_keepalive_{};

  Handshake handshake_;
  std::uint32_t attempts_ = 0;
  TimePoint attempts_began_{};
  std::optional<Tai64n> greatest_timestamp_;
  std::optional<TimePoint> last_initiation_;  // that we answered
  TokenBucket responses_{20, 10};             // that we try to open

  SessionSlots sessions_;
  std::deque<ByteVector> staged_;
  TimerTable<Timer> timers_;
  bool keepalive_again_ = false;    // data came while SendKeepalive was armed
  bool last_minute_rekey_ = false;  // asked for after receiving, once a session
  std::optional<TimePoint> last_handshake_;
  std::optional<TimePoint> told_keys_needed_;
  struct Told {
    Endpoint endpoint;
    TimePoint at;
  };
  std::optional<Told> told_moved_;
  struct PathLimit {
    Endpoint endpoint;
    std::size_t payload_bytes_max;
    TimePoint until;
  };
  std::optional<PathLimit> path_limit_;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t sent_bytes_ = 0;
  std::optional<TimePoint> last_data_;
};

}  // namespace trellis::wireguard
