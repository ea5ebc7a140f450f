#pragma once

#include "node/agent/agent.h"
#include "node/link/mesh_links.h"
#include "node/mesh/key_cache.h"
#include "node/mesh/memory.h"
#include "node/mesh/neighbour.h"
#include "node/mesh/schedule.h"
#include "node/names/names.h"
#include "node/netmap/map.h"
#include "node/uplink/uplink.h"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace trellis::mesh {

// What a node asks of its owner, in order.

/// Open a connection to the server, and tell by `connected` or `disconnected`.
struct Connect {};
/// Close it.
struct Disconnect {};
/// The interface shall have these addresses.
struct AddressesChanged {
  std::vector<InterfaceAddress> addresses;
};
/// The server knows us.
struct Joined {
  bool registered = false;  // it was the setup key that let us in
};
/// We asked to leave. Without an error the server has forgotten us.
struct LoggedOut {
  std::optional<std::string> error;
};
using Event = std::variant<Connect, Disconnect, AddressesChanged, Joined, LoggedOut>;

/// A machine in a network that has a server: its pairs, the paths to its peers, and the line over
/// which it learns who they are. It decides everything that `trellisd` does in a network.
///
///   server <==> Uplink --map--> Neighbours --peers--> Agent (pairs)
///                 ^                 | candidates        ^ paths
///                 `--- offers ------+----> MeshLink ----'
///
/// Pure. After every call that takes `now`, drain `poll_state` and `poll_memory` to disk, then
/// `poll_event`, `poll_transmit` and `poll_stream`.
class Node {
 public:
  struct Limits {
    /// So many pairs are made ready as soon as the map names them. In larger networks traffic and
    /// offers decide, for each costs half a megabyte once and a check now and then. [pair rule 6]
    std::size_t ready_peers = 32;
    /// So many are ready at once; who was unused for longest makes room.
    std::size_t wanted_peers = 256;
  };
  struct Options {
    Limits limits;
    pair::Mode mode = pair::Mode::Strict;  // of this machine; the server's may only be stricter
    uplink::Options uplink;                // but for what `Memory` holds
    const crypto::Suite* suite = nullptr;  // null: that of deployed Rosenpass
  };

  /// `cache` and `random` must outlive the node. A map in `memory` is in force at once.
  static Result<std::unique_ptr<Node>> create(TimePoint now, agent::Identity identity,
                                              agent::State state, Memory memory, Options options,
                                              KeyCache& cache, Random& random);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  /// To be told before every call that takes `now`. [pair rule 8]
  void set_wall_clock(WallTime now) {
    agent_->set_wall_clock(now);
    uplink_->set_wall_clock(now);
  }
  /// Where this host can be reached from: its addresses outside of the VPN, with our port.
  void set_local_endpoints(TimePoint now, std::vector<Endpoint> endpoints);
  Result<> set_setup_key(TimePoint now, SecretBuffer text);
  /// Asks the server to forget us; LoggedOut follows.
  void log_out(TimePoint now);
  /// The network has changed: all paths, and the line to the server, are tried anew.
  void network_changed(TimePoint now);
  Result<> trust(TimePoint now, const std::string& peer);

  // The connection to the server.
  void connected(TimePoint now);
  void receive_stream(TimePoint now, ByteView bytes);
  void disconnected(TimePoint now, std::string why);
  /// Bytes for the server; empty: none. Call only when the connection can take more.
  ByteVector poll_stream() { return uplink_->poll_transmit(); }

  // The packet path, in batches, in place: as agent::Agent's.
  void send(TimePoint now, std::span<const wireguard::OutboundPacket> packets,
            std::vector<wireguard::OutboundDatagram>& datagrams);
  void receive(TimePoint now, std::span<const wireguard::InboundDatagram> datagrams,
               std::vector<wireguard::InboundPacket>& packets);

  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;

  std::optional<std::string> poll_state() { return agent_->poll_state(); }
  /// The new text of what is worth remembering, if it has changed; once a second at most.
  std::optional<std::string> poll_memory(TimePoint now);
  std::optional<Event> poll_event();
  std::optional<agent::Agent::Transmit> poll_transmit();
  // As wireguard::Device's.
  void note_path_limit(TimePoint now, const Endpoint& to, std::size_t payload_bytes_max) {
    agent_->note_path_limit(now, to, payload_bytes_max);
  }
  std::optional<ByteVector> poll_host_packet() { return agent_->poll_host_packet(); }

  /// The answer to a DNS query of this host.
  std::optional<ByteVector> answer_name(ByteView query, dns::Transport transport) const {
    return names_.answer(query, transport);
  }

  const agent::Agent& agent() const { return *agent_; }
  const uplink::Uplink& uplink() const { return *uplink_; }
  const std::optional<netmap::Map>& map() const { return memory_.map; }
  const Neighbour* find(const crypto::PublicKey& peer) const;
  const std::optional<uplink::Refused>& refused() const { return refused_; }
  /// What an administrator should look at.
  std::vector<std::string> notices() const;
  /// STUN datagrams that belong to no path of ours.
  std::uint64_t stray_stun() const { return stray_stun_; }

 private:
  Node(TimePoint now, std::unique_ptr<agent::Agent> agent, const agent::Identity& identity,
       Memory memory, Options options, KeyCache& cache, Random& random);

  // The uplink's events.
  void handle(TimePoint now, uplink::Connect&& event);
  void handle(TimePoint now, uplink::Disconnect&& event);
  void handle(TimePoint now, uplink::LoggedIn&& event);
  void handle(TimePoint now, uplink::MapChanged&& event);
  void handle(TimePoint now, uplink::Synced&& event);
  void handle(TimePoint now, uplink::KeyUploaded&& event);
  void handle(TimePoint now, uplink::SignalUp&& event);
  void handle(TimePoint now, uplink::SignalDown&& event);
  void handle(TimePoint now, uplink::Signal&& event);
  void handle(TimePoint now, uplink::KeyPiece&& event);
  void handle(TimePoint now, uplink::KeyFetched&& event);
  void handle(TimePoint now, uplink::Refused&& event);
  void handle(TimePoint now, uplink::LoggedOut&& event);

  void apply_map(TimePoint now, netmap::Map map);
  void apply_peers(TimePoint now);
  void publish_peers(TimePoint now);
  bool may_talk_to(const netmap::MapPeer& peer) const;
  enum class Reason : std::uint8_t { Map, Traffic, Offer };
  bool want(TimePoint now, Neighbour& neighbour, Reason reason);
  void fetch(TimePoint now, const pair::KeyName& name);
  void let_keys_go();
  bool make_room(TimePoint now, Reason reason);
  TimePoint last_used(const Neighbour& neighbour) const;
  void let_go(TimePoint now, Neighbour& neighbour);
  void offer(TimePoint now, Neighbour& neighbour);
  void send_candidates(TimePoint now, Neighbour& neighbour, wire::signal::Body::Type type);
  void offer_to_all(TimePoint now);
  void follow_link(TimePoint now, const crypto::PublicKey& peer);
  void use_path(TimePoint now, Neighbour& neighbour);
  void send_due_offers(TimePoint now);
  void handle_stun(TimePoint now);
  /// What one part has to say to another, until all are silent.
  void settle(TimePoint now);

  pair::Mode mode_;
  Limits limits_;
  Bytes<16> instance_;
  KeyCache& cache_;
  Random& random_;
  crypto::PrivateKey wireguard_key_;
  std::unique_ptr<agent::Agent> agent_;
  std::unique_ptr<uplink::Uplink> uplink_;
  names::Names names_;

  Memory memory_;
  bool memory_changed_ = false;
  std::optional<TimePoint> memory_polled_;
  std::map<crypto::PublicKey, Neighbour> neighbours_;
  link::MeshLinks links_;
  std::size_t wanted_ = 0;  // of the neighbours
  Schedule offers_;
  std::uint32_t sequence_ = 0;  // of our last offer or answer, whoever it was for
  std::vector<Endpoint> local_endpoints_;
  bool signal_is_up_ = false;
  std::optional<uplink::Refused> refused_;
  std::deque<Event> events_;
  std::uint64_t stray_stun_ = 0;
};

}  // namespace trellis::mesh
