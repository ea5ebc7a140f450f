#pragma once

// Internal to this module: the layout of a message.

#include "protocol/stun/message.h"

#include <cstddef>
#include <cstdint>

namespace trellis::stun {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |0 0|     message type          |         message length        |
// |                         magic cookie                          |
// |                     transaction id (12 bytes)                 |
/// [RFC 8489 5]
struct Header {
  be16 type;
  be16 length;  // without the header; a multiple of 4
  be32 cookie = kMagicCookie;
  TransactionId transaction{};
};
static_assert(WireLayout<Header> && sizeof(Header) == kHeaderSize);

/// In front of each attribute's value, which is padded to a multiple of 4. [RFC 8489 14]
struct AttributeHeader {
  be16 type;
  be16 length;  // without padding
};
static_assert(WireLayout<AttributeHeader> && sizeof(AttributeHeader) == 4);

constexpr std::size_t padded(std::size_t length) { return (length + 3) & ~std::size_t{3}; }

constexpr std::size_t kIntegritySize = 20;
constexpr std::size_t kFingerprintSize = 4;
constexpr std::uint32_t kFingerprintMask = 0x5354'554e;

// The class is spread over two bits of the type; the method is Binding, 1. [RFC 8489 5]
constexpr std::uint16_t kBinding = 0x0001;
constexpr std::uint16_t kClassMask = 0x0110;

constexpr std::uint16_t class_bits(Class kind) {
  const auto number = static_cast<unsigned>(kind);
  return static_cast<std::uint16_t>((number & 1) << 4 | (number & 2) << 7);
}
constexpr Class class_of(std::uint16_t type) {
  return static_cast<Class>((type >> 4 & 1) | (type >> 7 & 2));
}
static_assert(class_bits(Class::Error) == kClassMask && class_of(0x0101) == Class::Success);

constexpr std::byte kFamilyV4{1};
constexpr std::byte kFamilyV6{2};

/// A header as it was when an attribute that ends at `end` was the last one.
inline Header header_up_to(ByteView datagram, std::size_t end) {
  Header header = Reader(datagram).read<Header>();
  header.length = static_cast<std::uint16_t>(end - kHeaderSize);
  return header;
}

/// The address XORed with cookie and transaction, which is its own inverse. [RFC 8489 14.2]
inline IpAddress masked(const IpAddress& address, const TransactionId& transaction) {
  Bytes<16> mask{};
  const be32 cookie = kMagicCookie;
  std::memcpy(mask.data(), &cookie, sizeof cookie);
  std::memcpy(mask.data() + sizeof cookie, transaction.data(), transaction.size());
  ByteVector bytes = to_vector(address.bytes());
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] ^= mask[i];
  return IpAddress::from_bytes(bytes);
}
constexpr std::uint16_t kPortMask = kMagicCookie >> 16;

}  // namespace trellis::stun
