#include "protocol/rosenpass/drop.h"

namespace trellis::rosenpass {

std::string_view name(Drop reason) {
  switch (reason) {
    case Drop::UnknownType:
      return "unknown type";
    case Drop::WrongLength:
      return "wrong length";
    case Drop::Unsupported:
      return "unsupported type";
    case Drop::BadMac:
      return "bad mac";
    case Drop::UnknownPeer:
      return "unknown peer";
    case Drop::UnknownSession:
      return "unknown session";
    case Drop::WrongState:
      return "not expected now";
    case Drop::Late:
      return "came too late";
    case Drop::BadHello:
      return "hello for another key";
    case Drop::BadAuth:
      return "wrong authentication";
    case Drop::BadBiscuit:
      return "unreadable biscuit";
    case Drop::DeadBiscuit:
      return "biscuit of a finished exchange";
    case Drop::Stale:
      return "exchange too old";
    case Drop::Collision:
      return "own exchange runs";
    case Drop::CookieAsked:
      return "asked for a cookie";
    case Drop::StrangersBusy:
      return "budget for unknown addresses used up";
    case Drop::PeerBusy:
      return "budget of the peer used up";
    case Drop::PathsBusy:
      return "budget of live paths used up";
    case Drop::BadCookie:
      return "unexpected cookie";
    case Drop::BadKem:
      return "rejected by the KEM";
    case Drop::kCount:
      break;
  }
  return "?";
}

}  // namespace trellis::rosenpass
