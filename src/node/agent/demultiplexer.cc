#include "node/agent/demultiplexer.h"

namespace trellis::agent {
namespace {

constexpr std::size_t kWireGuardSizeMin = 32;
constexpr std::uint32_t kWireGuardTypeMax = 4;

constexpr std::size_t kStunHeaderSize = 20;
constexpr std::uint32_t kStunMagicCookie = 0x2112'a442;

bool is_wireguard(ByteView datagram) {
  if (datagram.size() < kWireGuardSizeMin) return false;
  const std::uint32_t type = Reader(datagram).read<le32>();
  return type >= 1 && type <= kWireGuardTypeMax;
}

bool is_stun(ByteView datagram) {
  Reader reader(datagram);
  const std::uint16_t type = reader.read<be16>();
  const std::uint16_t length = reader.read<be16>();
  const std::uint32_t cookie = reader.read<be32>();
  return reader.ok() && (type & 0xc000) == 0 && cookie == kStunMagicCookie && length % 4 == 0 &&
         datagram.size() == kStunHeaderSize + length;
}

}  // namespace

Protocol protocol_of(ByteView datagram, const rosenpass::Layout& rosenpass) {
  if (is_wireguard(datagram)) return Protocol::WireGuard;
  if (rosenpass.accepts(datagram)) return Protocol::Rosenpass;
  if (is_stun(datagram)) return Protocol::Stun;
  return Protocol::Unknown;
}

}  // namespace trellis::agent
