#pragma once

#include "node/link/mesh_link.h"
#include "node/netmap/map.h"

#include <cstdint>
#include <memory>
#include <optional>

namespace trellis::mesh {

/// A peer of the map, and the way to it.
///
///              traffic, an offer, or few peers
///   Listed ------------------------------------> Wanted: has a link, its key is fetched
struct Neighbour {
  netmap::MapPeer peer;
  std::unique_ptr<link::MeshLink> link;  // while it is wanted

  // Offers: sent while there is no path, less and less often.
  std::optional<TimePoint> offer_at;
  Duration offer_pause{};
  std::uint32_t sequence = 0;            // of the last one
  std::optional<TimePoint> answered_at;  // an offer of the peer
  std::optional<Bytes<16>> instance;     // of the peer's agent, as its last offer said

  bool wanted() const { return link != nullptr; }
};

}  // namespace trellis::mesh
