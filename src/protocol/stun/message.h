#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace trellis::stun {

constexpr std::uint32_t kMagicCookie = 0x2112'a442;
constexpr std::size_t kHeaderSize = 20;
/// Larger ones are nobody's check.
constexpr std::size_t kMessageBytesMax = 1280;

enum class Class : std::uint8_t { Request, Indication, Success, Error };

/// Chosen by who asks, repeated in the answer.
using TransactionId = Bytes<12>;

/// Attribute types. The upper half may be ignored by who does not know them. [RFC 8489 18.3]
enum class Attribute : std::uint16_t {
  MappedAddress = 0x0001,
  Username = 0x0006,
  MessageIntegrity = 0x0008,
  ErrorCode = 0x0009,
  UnknownAttributes = 0x000a,
  Realm = 0x0014,
  Nonce = 0x0015,
  MessageIntegritySha256 = 0x001c,
  XorMappedAddress = 0x0020,
  Priority = 0x0024,      // [RFC 8445 16.1]
  UseCandidate = 0x0025,  //
  Software = 0x8022,
  Fingerprint = 0x8028,
  IceControlled = 0x8029,   // [RFC 8445 16.1]
  IceControlling = 0x802a,  //
};

/// Error codes. [RFC 8489 14.8, RFC 8445 7.3.1.1]
enum class ErrorNumber : std::uint16_t {
  BadRequest = 400,
  UnknownAttribute = 420,
  RoleConflict = 487,
};

/// A Binding message, its parts still in the datagram that it was read from.
struct Message {
  Class kind = Class::Request;
  TransactionId transaction{};
  std::optional<std::string_view> username;
  std::optional<std::uint32_t> priority;
  std::optional<std::uint64_t> controlling;  // tie-breakers
  std::optional<std::uint64_t> controlled;   //
  bool use_candidate = false;
  std::optional<Endpoint> mapped_address;   // of XOR-MAPPED-ADDRESS
  std::optional<std::uint16_t> error_code;  // 300 to 699
  std::string_view software;
  /// Of attributes that must be understood and are not: the first ones. [RFC 8489 6.3.1]
  std::array<std::uint16_t, 4> unknown_attributes{};
  std::size_t unknown_attribute_count = 0;  // of those kept
  /// Where MESSAGE-INTEGRITY begins; what follows it is not covered by it, and not read but for
  /// FINGERPRINT.
  std::optional<std::size_t> integrity_offset;
  bool has_fingerprint = false;
};

enum class ParseError {
  NotStun,         // no header of STUN, or not as long as it says
  NotBinding,      // another method
  BadAttribute,    // one ends outside of the message, or has a wrong length
  BadFingerprint,  // changed on the way, or not STUN after all
};

/// Reads a Binding message; authenticates nothing. Its texts stay in `datagram`.
///
/// FINGERPRINT ends the message: what follows it is ignored, and it is checked with the length up
/// to itself, for stock NetBird appends an attribute after it. [RFC 8489 14.7]
Expected<Message, ParseError> parse(ByteView datagram);

/// True if MESSAGE-INTEGRITY is there and was made with `password`. In constant time.
/// [RFC 8489 14.5]
bool integrity_matches(const Message& message, ByteView datagram, ByteView password);

}  // namespace trellis::stun
