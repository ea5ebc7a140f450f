#pragma once

#include "node/agent/demultiplexer.h"
#include "node/agent/state.h"
#include "node/pair/pair.h"
#include "node/pair/timestamps.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace trellis::agent {

/// Who we are. The public key's bytes (a mapped file) must outlive the agent.
struct Identity {
  crypto::PrivateKey wireguard;
  rosenpass::OwnKeys rosenpass;
};

/// All pairs of one machine, behind one UDP port: the two engines, the pairs between them, and what
/// must be remembered. It decides everything that `trellisd` does and does none of it.
///
///                    ,--> wireguard::Device --> inner packets
///   datagrams --> demultiplexer                       ^ keys, endpoints
///                    `--> rosenpass::Node --events--> Pair (one a peer)
///
/// Pure. Drain `poll_state`, then `poll_transmit`, after every call that takes `now`: what must be
/// remembered has to be on disk before what follows from it is sent.
class Agent {
 public:
  struct Options {
    pair::Mode mode = pair::Mode::Strict;
    const crypto::Suite* suite = nullptr;  // null: that of deployed Rosenpass
  };

  /// `random` must outlive the agent. Fails if the Rosenpass keys have wrong sizes.
  static Result<std::unique_ptr<Agent>> create(Identity identity, State state, Options options,
                                               Random& random);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent();

  const crypto::PublicKey& wireguard_key() const { return own_key_; }
  const pair::KeyName& rosenpass_key() const { return own_name_; }
  pair::Mode mode() const { return options_.mode; }
  const crypto::Suite& suite() const { return *options_.suite; }

  /// To be told before every call that takes `now`. [pair rule 8]
  void set_wall_clock(WallTime now) { timestamps_.set_wall_clock(now); }

  /// The whole list of peers. Pairs whose keys stay are not disturbed; those that are gone end.
  /// `key_name` of each is filled in here if the caller has not: who gives both has checked that
  /// they belong together. The bytes of the keys stay with the caller until the next list is in
  /// force; those of the list before are not needed any more then.
  void set_peers(TimePoint now, pair::Mode mode, std::vector<pair::PeerConfig> peers);
  void set_endpoints(TimePoint now, const std::string& peer,
                     const std::vector<Endpoint>& endpoints);
  /// The path to a peer of PathSource::Owner; one that is not in the list is none of ours.
  void set_path(TimePoint now, const crypto::PublicKey& peer, std::optional<Endpoint> path);
  /// Accepts the keys that the list of peers gives for this one, whatever was pinned.
  Result<> trust(TimePoint now, const std::string& peer);

  // The packet path, in batches, in place: as wireguard::Device's.
  void send(TimePoint now, std::span<const wireguard::OutboundPacket> packets,
            std::vector<wireguard::OutboundDatagram>& datagrams);
  void receive(TimePoint now, std::span<const wireguard::InboundDatagram> datagrams,
               std::vector<wireguard::InboundPacket>& packets);

  /// Those of the last batch of `receive` that are STUN: for who finds the paths. They stay in the
  /// caller's buffers.
  const std::vector<wireguard::InboundDatagram>& stun() const { return stun_; }

  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;

  /// The new text of the state file, if it has changed.
  std::optional<std::string> poll_state();
  struct Transmit {
    Endpoint to;
    ByteVector bytes;
    std::uint8_t traffic_class = 0;
    bool may_be_fragmented = true;
  };
  std::optional<Transmit> poll_transmit();
  // As wireguard::Device's.
  void note_path_limit(TimePoint now, const Endpoint& to, std::size_t payload_bytes_max) {
    wireguard_.note_path_limit(now, to, payload_bytes_max);
  }
  std::optional<ByteVector> poll_host_packet() { return wireguard_.poll_host_packet(); }

  const std::vector<std::unique_ptr<pair::Pair>>& pairs() const { return pairs_; }
  const pair::Pair* find_pair(const crypto::PublicKey& peer) const;
  /// The peers for which packets wait while their public keys are not here, each once.
  std::vector<crypto::PublicKey> take_wanted() { return std::exchange(wanted_, {}); }
  /// A peer of PathSource::Owner sent something authentic from another address than its path's:
  /// worth a check.
  struct Heard {
    crypto::PublicKey peer;
    Endpoint from;
  };
  std::vector<Heard> take_heard() { return std::exchange(heard_, {}); }
  /// The peers whose Rosenpass public keys exchanges have read: half a megabyte of memory each,
  /// which the owner can give back.
  std::set<crypto::PublicKey> take_read_keys() { return std::exchange(read_keys_, {}); }
  /// What in the list of peers an administrator should look at, though it is in force.
  std::vector<std::string> notices() const;
  const pair::Pins& pins() const { return pins_; }
  const wireguard::Device& wireguard() const { return wireguard_; }
  const rosenpass::Node& rosenpass() const { return rosenpass_; }
  /// Datagrams that belong to no protocol of ours.
  std::uint64_t unknown_datagrams() const { return unknown_datagrams_; }
  /// Datagrams that came through the tunnel itself.
  std::uint64_t overlay_datagrams() const { return overlay_datagrams_; }

 private:
  Agent(Identity identity, rosenpass::Node node, State state, Options options, Random& random);

  void apply_peers(TimePoint now);
  std::vector<std::string> find_refusals() const;
  std::string refusal_of(const pair::PeerConfig& peer, bool shares_its_key) const;
  void index_pairs();
  void drain_events(TimePoint now);
  /// To be called where a pair may have changed what it waits for.
  void update_deadline();
  void pin_completed(const pair::Pair& pair);
  pair::Pair* pair_of(wireguard::PeerId peer) const;
  pair::Pair* pair_of(rosenpass::PeerId peer) const;

  Options options_;
  crypto::PublicKey own_key_;
  pair::KeyName own_name_;
  pair::Timestamps timestamps_;
  pair::Pins pins_;
  bool pins_changed_ = false;
  WallTime reserved_on_disk_;

  wireguard::Device wireguard_;
  rosenpass::Node rosenpass_;
  std::vector<pair::PeerConfig> peers_;
  std::vector<std::unique_ptr<pair::Pair>> pairs_;  // in the order of the list
  std::optional<TimePoint> pair_deadline_;          // the first of theirs
  std::map<crypto::PublicKey, pair::Pair*> by_key_;
  std::vector<crypto::PublicKey> wanted_;
  std::vector<Heard> heard_;
  std::set<crypto::PublicKey> read_keys_;
  std::unordered_map<wireguard::PeerId, pair::Pair*> by_wireguard_;
  std::unordered_map<rosenpass::PeerId, pair::Pair*> by_rosenpass_;

  std::vector<wireguard::InboundDatagram> for_wireguard_;  // reused from batch to batch
  std::vector<wireguard::InboundDatagram> stun_;           //
  std::uint64_t unknown_datagrams_ = 0;
  std::uint64_t overlay_datagrams_ = 0;
};

}  // namespace trellis::agent
