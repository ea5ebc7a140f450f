#pragma once

#include "node/link/static_link.h"
#include "node/pair/key_name.h"
#include "node/pair/key_slots.h"
#include "node/pair/status.h"
#include "protocol/rosenpass/node.h"
#include "protocol/wireguard/device.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace trellis::pair {

/// Strict: no packet but under a post-quantum key. Permissive: a peer that never had such a key is
/// reached by plain WireGuard, and is marked so wherever it is listed.
enum class Mode : std::uint8_t { Strict, Permissive };

/// Who finds the path to a peer.
enum class PathSource : std::uint8_t {
  Pair,   // a file names addresses; the path follows what the peer has authenticated
  Owner,  // candidates are checked outside: `Pair::set_path` alone moves it [pair rule 9]
};

/// What a list of peers says of one of them.
struct PeerConfig {
  std::string name;
  crypto::PublicKey wireguard_key;
  ByteView rosenpass_key;  // empty: none, or not here yet. Stays with the caller; see reconfigure
  /// Of rosenpass_key, in V02; kept by the caller, they spare reading it.
  std::optional<rosenpass::KeyDigests> digests;
  std::optional<KeyName> key_name;  // of rosenpass_key; given without it: the key is to be fetched
  std::vector<Prefix> addresses;
  PathSource path_source = PathSource::Pair;
  std::vector<Endpoint> endpoints;  // what the configured endpoint stands for now
  bool has_endpoint = false;        // one is configured, even if it is not resolved yet
  Duration keepalive{};             // 0: none
};

/// The two engines that all pairs of a machine share.
struct Engines {
  wireguard::Device& wireguard;
  rosenpass::Node& rosenpass;
};

/// One peer as the rules of a pair see it: joins its exchanges, its tunnel and its path.
///
///   exchange:  Pending --> Proven | Released          Accepted
///   key slots:     hold      prove    release            accept        expire at 180 s
///   tunnel:    is given all live keys after each of these; begins a handshake when a new key is
///              proven, so that the session in use is never older than its key's successor
///
/// Pure. All that happens to it comes as a call with `now`; it acts on the engines at once.
class Pair {
 public:
  /// `refusal`: why this peer is listed but not talked to at all; empty for one that is.
  Pair(TimePoint now, Engines engines, const crypto::PublicKey& own_key, PeerConfig config,
       Mode mode, std::string refusal);
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  /// Removes the peer from both engines.
  ~Pair();

  const PeerConfig& config() const { return config_; }
  std::optional<wireguard::PeerId> wireguard_id() const { return wireguard_id_; }
  std::optional<rosenpass::PeerId> rosenpass_id() const { return rosenpass_id_; }

  // The engines' events of this peer.
  void handle(TimePoint now, const rosenpass::Pending& event);
  void handle(TimePoint now, const rosenpass::Proven& event);
  void handle(TimePoint now, const rosenpass::Accepted& event);
  void handle(TimePoint now, const rosenpass::Released& event);
  void handle(TimePoint now, const rosenpass::Expired& event);
  void handle(TimePoint now, const wireguard::SessionEstablished& event);
  void handle(TimePoint now, const wireguard::InitiationAccepted& event);
  void handle(TimePoint now, const wireguard::HandshakeUnanswered& event);
  void handle(TimePoint now, const wireguard::KeyNeeded& event);
  void handle(TimePoint now, const wireguard::Moved& event);

  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const { return timers_.next(); }

  /// New addresses of a configured host name.
  void set_endpoints(TimePoint now, std::vector<Endpoint> endpoints);
  /// The path that the owner found, or lost. Only with PathSource::Owner.
  void set_path(TimePoint now, std::optional<Endpoint> path);
  /// Changes what can be changed without disturbing the pair. False if the keys differ: then the
  /// pair must be made anew. Otherwise the bytes of `config.rosenpass_key` serve from now on, and
  /// those that were given before are not needed any more.
  bool reconfigure(TimePoint now, const PeerConfig& config);

  /// An exchange has been completed since the pair was made.
  bool completed() const { return completions_ > 0; }
  Status status(TimePoint now) const;
  const KeySlots& keys() const { return keys_; }
  /// User data waits for a peer whose public key is not here yet: told once a packet or so.
  bool take_key_wanted() { return std::exchange(key_wanted_, false); }
  /// The peer is listed and not talked to at all: `why_not` says why.
  bool refused() const { return !refusal_.empty(); }
  const std::string& refusal() const { return refusal_; }
  /// The session in use was made under the newest key that both ends are known to have.
  bool session_is_current(TimePoint now) const;

 private:
  // ExpireKeys:     armed for the oldest live key's end.
  // AwaitSession:   armed when the peer's exchange gave us a key: the peer is to begin a session
  //                 under it; if it does not (its clock went back, say), we do.
  // CheckPath:      runs while a path is wanted: lets the link move on from a silent address.
  enum class Timer { ExpireKeys, AwaitSession, CheckPath, kCount };

  KeySlots::Slot slot_for(rosenpass::ExchangeId exchange, const rosenpass::OutputKey& osk,
                          TimePoint age_from);
  void join_exchange(TimePoint now);
  void refuse_key(rosenpass::NodeError error);
  void publish_keys(TimePoint now);
  void publish_path(TimePoint now);
  void follow(TimePoint now, const Endpoint& from);
  bool try_next_address(TimePoint now);
  const std::optional<Endpoint>& path() const;
  void check_path(TimePoint now);
  bool plain() const;
  std::optional<TimePoint> age_from_of(KeyNumber key) const;
  std::string why_not(TimePoint now) const;
  std::string no_path() const;

  Engines engines_;
  crypto::PublicKey own_key_;
  PeerConfig config_;
  Mode mode_;
  std::string refusal_;
  std::optional<wireguard::PeerId> wireguard_id_;
  std::optional<rosenpass::PeerId> rosenpass_id_;

  KeySlots keys_;
  link::StaticLink link_;
  std::optional<Endpoint> owners_path_;
  bool key_wanted_ = false;
  std::string key_error_;  // why its public key is of no use
  TimerTable<Timer> timers_;

  struct KeyRecord {
    KeyNumber number;
    TimePoint age_from;
  };
  std::vector<KeyRecord> records_;  // of the latest keys: a session may outlive its key's slot
  std::uint64_t completions_ = 0;
  std::uint64_t received_before_ = 0;  // bytes, at the last CheckPath
};

}  // namespace trellis::pair
