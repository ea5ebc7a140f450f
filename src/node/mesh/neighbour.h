#pragma once

#include "node/link/mesh_link.h"
#include "node/mesh/freshness.h"
#include "node/netmap/map.h"

#include <cstdint>
#include <memory>
#include <optional>

namespace trellis::mesh {

/// A peer of the map, and the way to it.
///
///              traffic, an offer, or few peers
///   Listed ------------------------------------> Wanted: has a link, its key is fetched
///      ^                                            |
///      `---- unused for longest, others wanted -----'
struct Neighbour {
  netmap::MapPeer peer;
  std::unique_ptr<link::MeshLink> link;  // while it is wanted

  // Offers: sent while there is no path, less and less often.
  Duration offer_pause{};
  std::optional<TimePoint> answered_at;  // an offer of the peer
  Freshness freshness;                   // of the peer's offers
  TimePoint wanted_at{};                 // by us or, last, by the peer; traffic is not counted here
  bool let_go = false;                   // was wanted, and had to make room

  bool wanted() const { return link != nullptr; }
};

}  // namespace trellis::mesh
