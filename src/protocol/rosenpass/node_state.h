#pragma once

#include "protocol/rosenpass/peer.h"

#include <deque>
#include <set>
#include <unordered_map>
#include <utility>

namespace trellis::rosenpass {

/// The inside of a node: all peers, and what they share.
struct Node::State {
  State(const crypto::Suite& suite, OwnKeys keys, Random& random, double work_factor);

  // node.cc: peers and paths
  const Identity* speak(Dialect dialect);
  Peer* find(PeerId id);
  const Peer* find(PeerId id) const;
  void count_path(const std::optional<Endpoint>& path, int change);

  // node_exchange.cc: our own exchanges
  void set_exchange(TimePoint now, Peer& peer, OwnExchange next, const char* reason);
  void begin(TimePoint now, Peer& peer);
  void repeat(TimePoint now, Peer& peer);
  void abandon(TimePoint now, Peer& peer);
  void expire(TimePoint now, Peer& peer);
  void release_pending(Peer& peer);
  void give_up(TimePoint now, Peer& peer, const ConfExchange& conf);
  void forget_given_up(Peer& peer);
  void replace(TimePoint now, Peer& peer, const char* reason);
  void learn_kind(Peer& peer, SessionId of_peer, std::optional<std::uint64_t> counter);
  bool stays_quiet(const Peer& peer, SessionId of_peer) const;
  bool goes_on(const Peer& peer) const;
  void complete_as_initiator(TimePoint now, Peer& peer);
  void complete_as_responder(TimePoint now, Peer& peer, const Endpoint& from,
                             const InitConf& message, TimePoint age_from,
                             CompletedExchange completed);
  void adopt(Peer& peer, const CurrentExchange& current);
  void arm_begin(TimePoint now, Peer& peer);
  void arm_repeat(TimePoint now, Peer& peer, int repeats);
  void send_again(TimePoint now, Peer& peer);
  void handle_peer_timeout(TimePoint now, Peer& peer);
  void update_deadline(Peer& peer);
  void check_invariants(const Peer& peer) const;
  SessionId unused_session_id();
  ExchangeId next_exchange() { return ExchangeId{++exchanges}; }

  // node_receive.cc: what comes in
  Expected<void, Drop> receive(TimePoint now, const Endpoint& from, ByteView datagram);
  Expected<void, Drop> dispatch(TimePoint now, const Endpoint& from, const Identity& own,
                                const Message& message, ByteView datagram);
  Expected<void, Drop> on_init_hello(TimePoint now, const Endpoint& from, const Identity& own,
                                     const InitHello& hello, ByteView datagram);
  Expected<void, Drop> on_resp_hello(TimePoint now, const Identity& own, const RespHello& hello);
  Expected<void, Drop> on_init_conf(TimePoint now, const Endpoint& from, const Identity& own,
                                    const InitConf& message);
  Expected<void, Drop> on_empty_data(TimePoint now, const Identity& own, const EmptyData& message);
  Expected<WorkBudget*, Drop> admit_opening(TimePoint now, const Endpoint& from,
                                            const Identity& own, const InitHello& hello,
                                            ByteView datagram);
  Expected<void, Drop> admit_answering(TimePoint now, const Endpoint& from, Peer& peer,
                                       WorkBudget& shared);
  tl::unexpected<Drop> blame(TimePoint now, Peer& peer, Drop reason);
  Peer* find_session(SessionId sid, Version version);

  // node_cookie.cc: showing that one receives where one sends from
  Expected<WorkBudget*, Drop> admit_by_cookie(TimePoint now, const Endpoint& from,
                                              const Identity& own, const InitHello& hello,
                                              ByteView datagram);
  Expected<void, Drop> on_cookie_reply(TimePoint now, const CookieReply& reply);
  void transmit_own(TimePoint now, const Peer& peer, ByteVector message);

  void transmit(std::optional<PeerId> peer, const Endpoint& to, ByteVector bytes);

  ByteView own_key;
  SecretBuffer secret_key;
  std::deque<Identity> dialects;  // the first is V02 in the node's own suite; none ever moves
  Random* random;
  double work_factor;
  std::uint32_t last_peer = 0;
  std::uint64_t exchanges = 0;

  std::unordered_map<PeerId, std::unique_ptr<Peer>> peers;
  std::unordered_map<PeerHash, PeerId> by_pid;
  std::unordered_map<SessionId, PeerId> by_session;  // of our own exchanges
  std::set<std::pair<TimePoint, PeerId>> deadlines;

  /// An address that is the live path of some peers (of many, if it is a relay's).
  struct LivePath {
    int peers = 0;
    WorkBudget budget;
  };
  std::unordered_map<Endpoint, LivePath> live_paths;
  NodeBudgets budgets;

  BiscuitKeys biscuit_keys;
  BiscuitCounter biscuits;
  std::size_t cookie_peers = 0;  // that understand being asked for a cookie
  CookieSecrets cookies;
  std::optional<CookieKey> own_cookie_key;

  std::deque<Transmit> transmits;
  std::deque<Event> events;
  DropCounters drops{};
};

}  // namespace trellis::rosenpass
