#pragma once

#include "node/uplink/uplink.h"
#include "protocol/control/box_channel.h"
#include "protocol/grpc/client_connection.h"

#include <deque>

namespace trellis::uplink {

/// What all parts of an uplink share, whether the line stands or not.
struct Shared {
  Shared(Identity the_identity, Options the_options, Random& the_random);

  /// Nothing unless it is in the map.
  const netmap::MapPeer* find_peer(const crypto::PublicKey& key) const;

  Identity identity;
  crypto::PublicKey own;
  Options options;  // without the map and its server's key, which are below
  Random& random;
  WallTime wall;

  std::optional<netmap::Map> map;               // in force
  std::optional<crypto::PublicKey> map_server;  // whose it is; nothing: nobody knows
  std::deque<Event> events;
  Counters counters;
};

/// One connection to a server that has told its key.
struct Session {
  grpc::ClientConnection& grpc;
  const control::BoxChannel& server;
  ByteView nonce;
};

/// What others wrote, fit for a terminal: one line of printable ASCII, of limited length.
std::string printable(std::string_view text);

/// "the disk is full (Unavailable)"; the text is the server's.
std::string describe(const grpc::Status& status);

}  // namespace trellis::uplink
