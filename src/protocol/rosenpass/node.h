#pragma once

#include "base/random.h"
#include "protocol/rosenpass/dialect.h"
#include "protocol/rosenpass/event.h"
#include "protocol/rosenpass/key.h"
#include "protocol/rosenpass/messages.h"
#include "protocol/rosenpass/status.h"

#include <memory>
#include <optional>

namespace trellis::rosenpass {

struct PeerConfig {
  ByteView public_key =
      {};  // stays with the caller, until the peer is gone or is given another place
  ExchangePsk psk = ExchangePsk::zero();
  std::optional<Endpoint> path = std::nullopt;  // without one we answer, and begin nothing
  PeerKind kind = PeerKind::Trellis;
  Dialect dialect = {};
  /// Made of the same key in that version, and kept: it spares hashing, and touching the key.
  std::optional<KeyDigests> digests = std::nullopt;
  /// What the key is for, if not for WireGuard: see `output_label`. Both ends must say the same.
  std::optional<crypto::Digest> output_label = std::nullopt;
};

enum class NodeError {
  WrongPublicKeySize,
  WrongSecretKeySize,
  WrongSuite,    // of the peer: its static keys have other sizes than ours
  OwnKey,        // a peer cannot have our own key
  AlreadyKnown,  // another peer has that key
};

/// One end of the Rosenpass protocol with any number of peers: the exchange half of the pair rules.
/// Begins exchanges by itself: when a path is known and no key is current, and to renew it.
///
/// Pure: datagrams and time in; datagrams, events and a deadline out. Drain `poll_transmit` and
/// `poll_event` after every call that may fill them, which are all that take `now`.
class Node {
 public:
  /// `suite`, `random` and the bytes of the public key must outlive the node. `work_factor`: of the
  /// budgets for InitHello; 1 is a tenth of a core for strangers.
  static Expected<Node, NodeError> create(const crypto::Suite& suite, OwnKeys keys, Random& random,
                                          double work_factor = 1);
  Node(Node&&) noexcept;
  Node& operator=(Node&&) noexcept;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  const PeerHash& own_pid() const;  // of V02, whatever a peer speaks [pair rule 5]
  const Layout& layout() const;     // of the node's own suite
  /// By type byte and exact length, in any dialect that a peer was added with.
  bool accepts(ByteView datagram) const;

  /// Without digests it hashes the key a few times (2.5 ms for McEliece, 5 ms for V03); the first
  /// exchange begins in the next `handle_timeout`.
  Expected<PeerId, NodeError> add_peer(TimePoint now, PeerConfig config);
  /// The same key, which the caller keeps elsewhere from now on.
  void set_public_key(PeerId peer, ByteView same_bytes);
  /// Silently: no event follows, and its keys are the owner's to drop.
  void remove_peer(PeerId peer);
  /// `pid`: in the version that the peer speaks.
  std::optional<PeerId> find_peer(const PeerHash& pid) const;

  /// The peer's live path: where our messages go, and the address whose InitHello come first. A
  /// running exchange is repeated over a new path at once; one whose path is gone ends.
  void set_path(TimePoint now, PeerId peer, std::optional<Endpoint> path);
  /// An authentic packet of whatever protocol came over the path: it answers, so retries stay
  /// close.
  void note_path_answers(TimePoint now, PeerId peer);

  /// Begins an exchange unless one runs or no path is known: the probe of pair rule 7.
  void start_exchange(TimePoint now, PeerId peer);
  /// The other end was seen to have the key of `exchange`: a WireGuard response opened under it.
  /// The same as EmptyData if that key is pending; otherwise nothing. [pair rule 1]
  void confirm(TimePoint now, PeerId peer, ExchangeId exchange);

  void handle_datagram(TimePoint now, const Endpoint& from, ByteView datagram);
  /// Begins a few exchanges at most, so that a call stays short; `next_timeout` tells of the rest.
  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;
  std::optional<Transmit> poll_transmit();
  std::optional<Event> poll_event();

  PeerStatus status(PeerId peer) const;
  /// To be kept for the next start. Nothing if there is no such peer.
  std::optional<KeyDigests> digests(PeerId peer) const;
  const DropCounters& drops() const;

 private:
  struct State;
  explicit Node(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace trellis::rosenpass
