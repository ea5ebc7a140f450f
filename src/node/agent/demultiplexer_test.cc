#include "node/agent/demultiplexer.h"

#include "crypto/kem.h"

#include <gtest/gtest.h>

namespace trellis::agent {
namespace {

ByteVector datagram(std::initializer_list<int> head, std::size_t size) {
  ByteVector bytes(size);
  std::size_t i = 0;
  for (const int value : head) {
    if (i < size) bytes[i++] = static_cast<std::byte>(value);
  }
  return bytes;
}

TEST(Demultiplexer, TellsProtocolsByTheirFirstBytesAndLengths) {
  const rosenpass::Layout layout(crypto::suite_rosenpass());
  struct Case {
    const char* name;
    ByteVector bytes;
    Protocol protocol;
  };
  const Case cases[] = {
      {"empty", {}, Protocol::Unknown},
      {"WireGuard initiation", datagram({1}, 148), Protocol::WireGuard},
      {"WireGuard keepalive", datagram({4}, 32), Protocol::WireGuard},
      {"shorter than any WireGuard message", datagram({4}, 31), Protocol::Unknown},
      {"reserved bytes set", datagram({1, 0, 0, 1}, 148), Protocol::Unknown},
      {"type 5", datagram({5}, 148), Protocol::Unknown},
      {"InitHello", datagram({0x81}, 1092), Protocol::Rosenpass},
      {"InitHello of the other encoding", datagram({0x81}, 1060), Protocol::Unknown},
      {"RespHello", datagram({0x82}, 1132), Protocol::Rosenpass},
      {"InitConf", datagram({0x83}, 176), Protocol::Rosenpass},
      {"EmptyData", datagram({0x84}, 64), Protocol::Rosenpass},
      {"EmptyData one byte long", datagram({0x84}, 65), Protocol::Unknown},
      {"STUN binding request", datagram({0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, 20), Protocol::Stun},
      {"STUN with a wrong length", datagram({0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42}, 20),
       Protocol::Unknown},
      {"STUN with an odd length", datagram({0, 1, 0, 3, 0x21, 0x12, 0xa4, 0x42}, 23),
       Protocol::Unknown},
      {"STUN with its top bits set", datagram({0x81, 0, 0, 0, 0x21, 0x12, 0xa4, 0x42}, 20),
       Protocol::Unknown},
      {"a WireGuard index that equals the magic cookie",
       datagram({4, 0, 0, 0, 0x21, 0x12, 0xa4, 0x42}, 96), Protocol::WireGuard},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(protocol_of(c.bytes, layout), c.protocol);
  }
}

}  // namespace
}  // namespace trellis::agent
