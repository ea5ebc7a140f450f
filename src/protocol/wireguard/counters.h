#pragma once

#include <cstdint>

namespace trellis::wireguard {

/// Why packets were dropped, and how many.
struct Counters {
  // Datagrams.
  std::uint64_t malformed = 0;         // of no known type or length
  std::uint64_t bad_mac1 = 0;          // not made for our public key
  std::uint64_t cookies_sent = 0;      // under load: the sender must show that it is there
  std::uint64_t bad_cookies = 0;       // cookie replies that do not open
  std::uint64_t rate_limited = 0;      // handshake messages beyond what we work on
  std::uint64_t bad_handshake = 0;     // do not open: wrong keys, or forged
  std::uint64_t unknown_peer = 0;      // initiations of somebody else
  std::uint64_t no_key = 0;            // initiations of a peer without a current preshared key
  std::uint64_t stale_initiation = 0;  // a timestamp not later than the last one: replayed
  std::uint64_t unknown_index = 0;     // responses or data for no session of ours
  std::uint64_t expired_session = 0;   // data for a session past its time or its counter
  std::uint64_t bad_tag = 0;           // data that does not open
  std::uint64_t replayed = 0;          // data whose counter was there before
  // Inner packets.
  std::uint64_t inner_malformed = 0;       // opened, but no IP packet
  std::uint64_t inner_source_refused = 0;  // opened, but its source is not one of the peer's
  std::uint64_t outbound_malformed = 0;    // to be sent, but no IP packet
  std::uint64_t no_route = 0;              // no peer has that destination
  std::uint64_t no_endpoint = 0;           // a peer whose address is not known
  std::uint64_t staged_overflow = 0;       // waited for a session until newer ones took the place
};

}  // namespace trellis::wireguard
