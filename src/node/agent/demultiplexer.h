#pragma once

#include "base/bytes.h"
#include "protocol/rosenpass/messages.h"

namespace trellis::agent {

/// The protocols that share the agent's one UDP port.
enum class Protocol { WireGuard, Rosenpass, Stun, Unknown };

/// Tells to whom a datagram is given, by its first bytes and length alone. Asked in this order, as
/// an index of WireGuard may look like anything:
///
///   WireGuard  a little-endian word 1 to 4, 32 bytes or more       [WG 5.4]
///   Rosenpass  a first byte 0x81 to 0x86 and the exact length of that message in our suite
///   STUN       top bits 00, the magic cookie, and a length that fits  [RFC 8489 5]
Protocol protocol_of(ByteView datagram, const rosenpass::Layout& rosenpass);

}  // namespace trellis::agent
