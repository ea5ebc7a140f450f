#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace trellis::rosenpass {

/// Why a datagram was dropped. Counted, never answered, never logged above debug.
enum class Drop : std::uint8_t {
  UnknownType,     // no type byte of the protocol
  WrongLength,     // a type byte of ours with a length that it cannot have
  Unsupported,     // Data (0x85): nobody sends it
  BadMac,          // not addressed to our public key
  UnknownPeer,     // a pid that we were not told of
  UnknownSession,  // RespHello or EmptyData for an exchange that is not, or no longer, ours
  WrongState,      // for an exchange of ours that expects another message
  Late,            // EmptyData for an exchange that we gave up: the path is long
  BadHello,        // InitHello was not made for our key: its pid does not open
  BadAuth,         // the other end has another key or another psk than we, or the message is forged
  BadBiscuit,      // not sealed by us, or by a key that is gone (we restarted)
  DeadBiscuit,     // its peer has completed a later exchange
  Stale,           // of an exchange that is 180 s old or older
  Collision,       // left unanswered because our own exchange runs [pair rule 2]
  CookieAsked,     // the same, and its sender was asked to show that he receives there
  StrangersBusy,   // budget for InitHello from unknown addresses is used up [pair rule 13]
  PeerBusy,        // budget of that one peer is used up
  PathsBusy,       // budget for all live paths together is used up
  BadCookie,       // CookieReply that answers nothing of ours, or comes too often
  BadKem,          // a KEM refused what it was given
  kCount
};

std::string_view name(Drop reason);

using DropCounters = std::array<std::uint64_t, static_cast<std::size_t>(Drop::kCount)>;

}  // namespace trellis::rosenpass
