#pragma once

#include "base/bytes.h"
#include "crypto/keys.h"
#include "node/link/mesh_link.h"
#include "protocol/ice/pacer.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis::link {

// Of datagrams that name a link and are not authentic: so many at once, then one in each pause.
constexpr int kFailuresBurst = 1000;
constexpr Duration kFailuresPause = 200us;

/// A datagram of a link's own making.
struct Transmit {
  Endpoint to;
  ByteVector bytes;
};

/// All links of one machine: finds the one that a STUN datagram belongs to, and gathers what they
/// have to send.
///
/// A request belongs to the link whose name (ufrag) it gives first; an answer to the one whose
/// number begins its transaction. What belongs to none has no answer, and costs one look-up. What
/// names a link and is not authentic costs an HMAC; of those only so many a second are looked at,
/// but for what comes from an address at which the peer is known.
class MeshLinks {
 public:
  MeshLinks() = default;
  MeshLinks(const MeshLinks&) = delete;
  MeshLinks& operator=(const MeshLinks&) = delete;
  ~MeshLinks();

  /// A link to `config.peer`; nothing if its key is of small order, or if there is a link to it.
  /// It may die before or after this. `random` must outlive it.
  std::unique_ptr<MeshLink> add(TimePoint now, const crypto::PrivateKey& own,
                                MeshLink::Config config, Random& random);

  /// False if it is no STUN for a link of ours, or not authentic: then nothing has changed.
  bool handle_stun(TimePoint now, const Endpoint& from, ByteView datagram);

  // All links at once: the cost does not depend on how many there are. Or handle each by itself.
  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;

  std::optional<Transmit> poll_transmit();
  /// The peer of a link that has events, each once: drain that link's.
  std::optional<crypto::PublicKey> poll_changed();

  struct Counters {
    std::uint64_t not_stun = 0;       // or damaged
    std::uint64_t unknown = 0;        // names no link of ours
    std::uint64_t not_authentic = 0;  // or not answering what we have asked
    std::uint64_t not_looked_at = 0;  // too many of those before
  };
  const Counters& counters() const { return counters_; }

 private:
  friend class MeshLink;
  void remove(MeshLink& link);
  void update(MeshLink& link);
  void send(Transmit transmit);
  MeshLink* link_of(const stun::Message& message) const;

  std::map<std::string, MeshLink*, std::less<>> by_ufrag_;  // our ufrag
  std::map<Bytes<4>, MeshLink*> by_prefix_;
  std::map<crypto::PublicKey, MeshLink*> by_peer_;
  std::set<std::pair<TimePoint, crypto::PublicKey>> deadlines_;
  std::set<crypto::PublicKey> changed_;
  std::deque<Transmit> transmits_;
  ice::Pacer failures_{kFailuresBurst, kFailuresPause};
  Counters counters_;
};

}  // namespace trellis::link
