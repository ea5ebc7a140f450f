#include "protocol/stun/message.h"

#include "crypto/hash.h"
#include "crypto/keys.h"
#include "protocol/stun/crc32.h"
#include "protocol/stun/wire.h"

namespace trellis::stun {
namespace {

std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Exactly one T.
template <WireLayout T>
Expected<T, ParseError> exactly(ByteView value) {
  if (value.size() != sizeof(T)) return fail(ParseError::BadAttribute);
  return Reader(value).read<T>();
}

//  |0 0 0 0 0 0 0 0|    family     |            port               |
//  |                  address (4 or 16 bytes)                      |
Expected<Endpoint, ParseError> read_mapped_address(ByteView value,
                                                   const TransactionId& transaction) {
  Reader reader(value);
  reader.bytes(1);
  const ByteView family = reader.bytes(1);
  const std::uint16_t port = reader.read<be16>() ^ kPortMask;
  if (!reader.ok()) return fail(ParseError::BadAttribute);
  const std::size_t size = family[0] == kFamilyV4 ? 4U : family[0] == kFamilyV6 ? 16U : 0U;
  if (size == 0 || reader.remaining() != size) return fail(ParseError::BadAttribute);
  return Endpoint{masked(IpAddress::from_bytes(reader.bytes(size)), transaction), port};
}

//  |         reserved, zero                |class|     number      |
//  |                  reason phrase, text                          |
Expected<std::uint16_t, ParseError> read_error_code(ByteView value) {
  if (value.size() < 4) return fail(ParseError::BadAttribute);
  const auto hundreds = std::to_integer<unsigned>(value[2] & std::byte{7});
  const auto rest = std::to_integer<unsigned>(value[3]);
  if (hundreds < 3 || hundreds > 6 || rest > 99) return fail(ParseError::BadAttribute);
  return static_cast<std::uint16_t>(hundreds * 100 + rest);
}

void note_unknown(Message& message, std::uint16_t type) {
  const bool must_be_understood = type < 0x8000;
  if (!must_be_understood || message.unknown_attribute_count == message.unknown_attributes.size()) {
    return;
  }
  message.unknown_attributes[message.unknown_attribute_count++] = type;
}

/// One attribute before MESSAGE-INTEGRITY. Of one that comes twice, the first counts.
/// [RFC 8489 14]
Expected<void, ParseError> read_attribute(Message& message, std::uint16_t type, ByteView value) {
  switch (static_cast<Attribute>(type)) {
    case Attribute::Username:
      if (!message.username) message.username = text_of(value);
      return {};
    case Attribute::Priority: {
      const be32 priority = TRY(exactly<be32>(value));
      if (!message.priority) message.priority = priority;
      return {};
    }
    case Attribute::UseCandidate:
      message.use_candidate = true;
      return {};
    case Attribute::IceControlling: {
      const be64 tie_breaker = TRY(exactly<be64>(value));
      if (!message.controlling) message.controlling = tie_breaker;
      return {};
    }
    case Attribute::IceControlled: {
      const be64 tie_breaker = TRY(exactly<be64>(value));
      if (!message.controlled) message.controlled = tie_breaker;
      return {};
    }
    case Attribute::XorMappedAddress: {
      const Endpoint mapped = TRY(read_mapped_address(value, message.transaction));
      if (!message.mapped_address) message.mapped_address = mapped;
      return {};
    }
    case Attribute::ErrorCode: {
      const std::uint16_t code = TRY(read_error_code(value));
      if (!message.error_code) message.error_code = code;
      return {};
    }
    case Attribute::Software:
      message.software = text_of(value);
      return {};
    case Attribute::MappedAddress:
    case Attribute::UnknownAttributes:
    case Attribute::Realm:
    case Attribute::Nonce:
    case Attribute::MessageIntegritySha256:
      return {};  // known, and of no use here
    case Attribute::MessageIntegrity:
    case Attribute::Fingerprint:
      break;  // not for this function
  }
  note_unknown(message, type);
  return {};
}

bool fingerprint_matches(ByteView datagram, std::size_t offset, std::uint32_t fingerprint) {
  const Header header = header_up_to(datagram, offset + sizeof(AttributeHeader) + kFingerprintSize);
  const ByteView body = datagram.subspan(kHeaderSize, offset - kHeaderSize);
  return (crc32({bytes_of(header), body}) ^ kFingerprintMask) == fingerprint;
}

Expected<Message, ParseError> read_header(ByteView datagram) {
  if (datagram.size() < kHeaderSize || datagram.size() > kMessageBytesMax) {
    return fail(ParseError::NotStun);
  }
  const auto header = Reader(datagram).read<Header>();
  const std::uint16_t type = header.type;
  const std::uint16_t length = header.length;
  const bool is_stun = (type & 0xc000) == 0 && header.cookie == kMagicCookie && length % 4 == 0 &&
                       kHeaderSize + length == datagram.size();
  if (!is_stun) return fail(ParseError::NotStun);
  if ((type & ~kClassMask) != kBinding) return fail(ParseError::NotBinding);
  Message message;
  message.kind = class_of(type);
  message.transaction = header.transaction;
  return message;
}

}  // namespace

Expected<Message, ParseError> parse(ByteView datagram) {
  Message message = TRY(read_header(datagram));
  std::size_t offset = kHeaderSize;
  while (offset < datagram.size()) {
    Reader reader(datagram.subspan(offset));
    const auto attribute = reader.read<AttributeHeader>();
    const ByteView padded_value = reader.bytes(padded(attribute.length));
    if (!reader.ok()) return fail(ParseError::BadAttribute);
    const ByteView value = padded_value.first(attribute.length);
    const auto type = static_cast<Attribute>(std::uint16_t{attribute.type});
    if (type == Attribute::Fingerprint) {
      const be32 fingerprint = TRY(exactly<be32>(value));
      if (!fingerprint_matches(datagram, offset, fingerprint)) {
        return fail(ParseError::BadFingerprint);
      }
      message.has_fingerprint = true;
      return message;
    }
    if (message.integrity_offset) {
      // Not covered by MESSAGE-INTEGRITY, so not to be looked at. [RFC 8489 14.5]
    } else if (type == Attribute::MessageIntegrity) {
      if (value.size() != kIntegritySize) return fail(ParseError::BadAttribute);
      message.integrity_offset = offset;
    } else {
      TRY(read_attribute(message, attribute.type, value));
    }
    offset += sizeof(AttributeHeader) + padded_value.size();
  }
  return message;
}

bool integrity_matches(const Message& message, ByteView datagram, ByteView password) {
  if (!message.integrity_offset) return false;
  const std::size_t offset = *message.integrity_offset;
  const std::size_t value_at = offset + sizeof(AttributeHeader);
  const Header header = header_up_to(datagram, value_at + kIntegritySize);
  const ByteView body = datagram.subspan(kHeaderSize, offset - kHeaderSize);
  const Bytes<20> right = crypto::hmac_sha1(password, {bytes_of(header), body});
  return crypto::equal(right, datagram.subspan(value_at, kIntegritySize));
}

}  // namespace trellis::stun
