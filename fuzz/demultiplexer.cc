// The first look at a datagram from the shared UDP port.

#include "node/agent/demultiplexer.h"

#include "crypto/kem.h"
#include "input.h"
#include "protocol/wireguard/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  static const rosenpass::Layout layout(crypto::suite_rosenpass());
  const ByteView datagram = std::as_bytes(std::span(data, size));
  const agent::Protocol protocol = agent::protocol_of(datagram, layout);
  // What an engine would take must reach it.
  if (wireguard::parse(datagram)) CHECK(protocol == agent::Protocol::WireGuard);
  if (layout.parse(datagram)) CHECK(protocol == agent::Protocol::Rosenpass);
  if (protocol == agent::Protocol::Stun) CHECK(size >= 20 && size % 4 == 0);
  return 0;
}
