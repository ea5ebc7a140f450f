#pragma once

#include "base/address.h"
#include "crypto/keys.h"
#include "node/netmap/map.h"
#include "node/pair/key_name.h"
#include "protocol/control/signal.pb.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace trellis::uplink {

/// Open TCP and TLS to the server, then call `connected`, or `disconnected` with the reason.
struct Connect {};

/// Close the connection, or stop opening it. No `disconnected` is wanted for it.
struct Disconnect {};

/// The server knows us. Comes again after every reconnect.
struct LoggedIn {
  crypto::PublicKey server_key;  // its box key: kept in its store, so it names the network
  std::string name;              // ours, one label
  std::string domain;
  std::vector<InterfaceAddress> addresses;  // ours: IPv4, then perhaps IPv6; with their networks
  bool strict = false;                      // the network demands strictness. [pair rule 3]
  bool registered = false;                  // it was the setup key that let us in
  std::vector<std::string> warnings;        // of the server, for the people of this machine
};

/// A map other than the one before is in force; to be kept on disk with the server's key.
struct MapChanged {
  netmap::Map map;
};

/// The server has confirmed the map in force, changed or not: once for each Sync stream.
struct Synced {};

/// Our key is at the server whole, by this upload or an earlier one; others can fetch it.
struct KeyUploaded {};

/// Others' messages reach us from now on. Offers that were sent to us before may have been lost.
struct SignalUp {};
struct SignalDown {};

/// From a peer of the map; its box was opened.
struct Signal {
  crypto::PublicKey from;
  wire::signal::Body body;
};

/// Some of the bytes of a public key that is being fetched, unchecked: whoever keeps them, and
/// gives them to `fetch_key` after a restart, need not have them sent again. What was kept from
/// `offset` on is void.
struct KeyPiece {
  pair::KeyName name;
  std::size_t offset = 0;
  ByteVector bytes;
};

/// The whole public key; its hash is its name.
struct KeyFetched {
  pair::KeyName name;
  ByteVector bytes;
};

enum class Refusal : std::uint8_t {
  NotMember,     // the server does not know this machine, and there is no setup key
  Removed,       // the same, but it knew it before
  SetupKey,      // wrong, expired, revoked or used up
  Conflict,      // our keys are in use elsewhere, or our Rosenpass key has changed
  NotOurServer,  // it answers, but not as a Trellis server does
};

/// The server does not let us in. `permanent`: only a setup key, a person or `retry_now` changes
/// it; otherwise it is asked again.
struct Refused {
  Refusal reason;
  std::string message;  // a sentence that says what is wrong and what to do
  bool permanent = false;
};

/// The answer to `log_out`; then nothing more comes. With an error the server may still know us.
struct LoggedOut {
  std::optional<std::string> error;
};

using Event = std::variant<Connect, Disconnect, LoggedIn, MapChanged, Synced, KeyUploaded, SignalUp,
                           SignalDown, Signal, KeyPiece, KeyFetched, Refused, LoggedOut>;

}  // namespace trellis::uplink
