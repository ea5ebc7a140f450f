#pragma once

#include "base/address.h"
#include "base/random.h"
#include "base/time.h"
#include "crypto/keys.h"
#include "protocol/ice/agent.h"
#include "protocol/ice/candidate.h"
#include "protocol/ice/credentials.h"

#include <deque>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace trellis::link {

class MeshLinks;

/// Traffic for the peer goes there from now on.
struct PathChanged {
  Endpoint path;
};
/// There is no way to the peer now; one is looked for.
struct PathLost {};
using LinkEvent = std::variant<PathChanged, PathLost>;

/// The path for people to see.
struct PathStatus {
  std::string_view kind = "none";  // "direct", "relayed", "none"
  std::string_view candidate;      // of the peer: "host", "srflx", "prflx", "relay"
  std::optional<Endpoint> address;
  std::optional<Duration> rtt;     // of checks, smoothed
  std::optional<TimePoint> since;  // on this path
};

/// The path to one peer of a mesh: it alone moves it, after a check over the new address that both
/// ends authenticated. [pair rule 9]
///
/// Two agents of ours derive their credentials from their WireGuard keys, so a restart of either
/// needs nothing but addresses that were good before.
///
/// Pure. Made by MeshLinks (mesh_links.h), which takes what it sends: drain that and `poll_event`
/// after every call that takes `now`.
class MeshLink {
 public:
  struct Config {
    crypto::PublicKey own;
    crypto::PublicKey peer;
    std::vector<Prefix> overlay;  // addresses within the VPN are never a way to it
  };

  MeshLink(const MeshLink&) = delete;
  MeshLink& operator=(const MeshLink&) = delete;
  ~MeshLink();

  /// Where the peer says it can be reached, from an offer or from memory. The newest list counts;
  /// addresses that answer stay. At most 32, and none that rule 9 excludes.
  void set_remote_candidates(TimePoint now, std::span<const ice::Candidate> candidates);
  /// A message of the peer that WireGuard or Rosenpass has authenticated came from there: the path
  /// does not move, but that address is checked, so that it can.
  void heard_from(TimePoint now, const Endpoint& from);
  /// The network has changed, or the peer has started anew: all addresses are checked at once, and
  /// the path stays while it answers.
  void restart(TimePoint now);

  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const { return agent_.next_timeout(); }
  std::optional<LinkEvent> poll_event();

  std::optional<Endpoint> path() const;
  PathStatus status() const;
  /// What may be a way, best first, for diagnosis.
  const std::vector<ice::CandidatePair>& candidates() const { return agent_.pairs(); }
  const crypto::PublicKey& peer() const { return config_.peer; }
  const ice::Credentials& local_credentials() const { return agent_.local_credentials(); }
  const ice::Agent::Counters& counters() const { return agent_.counters(); }

 private:
  friend class MeshLinks;
  MeshLink(TimePoint now, MeshLinks& links, Config config, ice::Agent::Config ice, Random& random);

  /// The peer has been heard from there, or says that it can be reached there.
  bool knows(const Endpoint& from) const;
  bool handle_stun(TimePoint now, const Endpoint& from, const stun::Message& message,
                   ByteView datagram);
  /// Takes what the agent has to tell and to send, and tells `links_` of it.
  void flush(TimePoint now);
  void take_events(TimePoint now);

  Config config_;
  MeshLinks* links_;  // null once it is gone
  Bytes<4> transaction_prefix_;
  ice::Agent agent_;
  static constexpr std::size_t kEventsMax = 8;
  std::deque<LinkEvent> events_;
  std::optional<TimePoint> since_;     // on this path
  std::optional<TimePoint> deadline_;  // as `links_` has noted it
};

}  // namespace trellis::link
