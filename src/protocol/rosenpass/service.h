#pragma once

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "protocol/rosenpass/node.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace trellis::rosenpass {

/// Rosenpass for other programs: keys with peers, which may come and go.
/// examples/embed-rosenpass.cc uses it in 50 lines.
///
/// It does no I/O. Give it what arrives (`handle_datagram`) and the time (`handle_timeout`, when
/// `next_timeout` says); after every call send what `poll_transmit` gives and take what `poll_key`
/// gives, or have keys handed to a callback. `now` is any clock that counts time asleep and never
/// goes back. One thread at a time.
///
/// A key is told when the other end is known to have it, and again when nothing replaced it in 180
/// s. Until a key is told, the one before stays in force.
class Service {
 public:
  struct Options {
    const crypto::Suite* suite = &crypto::suite_rosenpass();
    double work_factor = 1;  // of what strangers may cost: 1 is a tenth of a core
  };

  /// A new key of a peer, or that its last one is dead.
  struct KeyChange {
    PeerId peer;
    std::optional<OutputKey> key;  // nothing: dead, and there is no other
  };

  /// `secret_key` in either form, 13568 or 13608 bytes. Fails if a size is wrong, and tells the
  /// right one. `random` and `options.suite` must outlive the service.
  static Result<Service> create(ByteVector public_key, ByteView secret_key, Random& random,
                                Options options);
  static Result<Service> create(ByteVector public_key, ByteView secret_key, Random& random) {
    return create(std::move(public_key), secret_key, random, Options{});
  }
  /// `public_key` stays with the caller, who may have mapped it, and must outlive the service.
  static Result<Service> create_over(ByteView public_key, SecretBuffer secret_key, Random& random,
                                     Options options);
  Service(Service&&) noexcept;
  Service& operator=(Service&&) noexcept;
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service();

  /// As Node's; `config.public_key` stays with the caller, until the peer is gone.
  Expected<PeerId, NodeError> add_peer(TimePoint now, PeerConfig config);
  /// The same with a key that the service keeps.
  Expected<PeerId, NodeError> add_peer(TimePoint now, ByteVector public_key, PeerConfig config);
  /// No key is told any more; what was told is the caller's to drop.
  void remove_peer(PeerId peer);
  /// Where the peer is. By itself the service moves to where an exchange of the peer's came from.
  void set_path(TimePoint now, PeerId peer, std::optional<Endpoint> path);

  void handle_datagram(TimePoint now, const Endpoint& from, ByteView datagram);
  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;
  std::optional<Transmit> poll_transmit();
  std::optional<KeyChange> poll_key();
  /// From now on keys go there, from inside of the `handle_*` calls, and not to `poll_key`.
  void on_key(std::function<void(const KeyChange&)> callback);

  PeerStatus status(PeerId peer) const;
  /// The address that an exchange of the peer's came from last.
  std::optional<Endpoint> heard_from(PeerId peer) const;
  const Node& node() const;

 private:
  struct State;
  explicit Service(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace trellis::rosenpass
