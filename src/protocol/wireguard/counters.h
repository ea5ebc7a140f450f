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
  std::uint64_t too_big = 0;               // longer than the path takes; their hosts were told
};

/// Calls `visit(name, value)` for each, in the order above.
template <class Visit>
void for_each_counter(const Counters& counters, Visit visit) {
  visit("malformed", counters.malformed);
  visit("bad_mac1", counters.bad_mac1);
  visit("cookies_sent", counters.cookies_sent);
  visit("bad_cookies", counters.bad_cookies);
  visit("rate_limited", counters.rate_limited);
  visit("bad_handshake", counters.bad_handshake);
  visit("unknown_peer", counters.unknown_peer);
  visit("no_key", counters.no_key);
  visit("stale_initiation", counters.stale_initiation);
  visit("unknown_index", counters.unknown_index);
  visit("expired_session", counters.expired_session);
  visit("bad_tag", counters.bad_tag);
  visit("replayed", counters.replayed);
  visit("inner_malformed", counters.inner_malformed);
  visit("inner_source_refused", counters.inner_source_refused);
  visit("outbound_malformed", counters.outbound_malformed);
  visit("no_route", counters.no_route);
  visit("no_endpoint", counters.no_endpoint);
  visit("staged_overflow", counters.staged_overflow);
  visit("too_big", counters.too_big);
}

}  // namespace trellis::wireguard
