#include "protocol/stun/message_writer.h"

#include "crypto/hash.h"
#include "protocol/stun/crc32.h"
#include "protocol/stun/wire.h"

#include <cstring>

namespace trellis::stun {
namespace {

std::string_view phrase_of(ErrorNumber number) {
  switch (number) {
    case ErrorNumber::BadRequest:
      return "Bad Request";
    case ErrorNumber::UnknownAttribute:
      return "Unknown Attribute";
    case ErrorNumber::RoleConflict:
      return "Role Conflict";
  }
  return {};
}

}  // namespace

MessageWriter::MessageWriter(Class kind, const TransactionId& transaction) {
  Header header;
  header.type = static_cast<std::uint16_t>(kBinding | class_bits(kind));
  header.transaction = transaction;
  bytes_.reserve(160);  // a check has 100 to 130 bytes
  append(bytes_, bytes_of(header));
}

void MessageWriter::add(Attribute type, ByteView value) {
  const AttributeHeader header{static_cast<std::uint16_t>(type),
                               static_cast<std::uint16_t>(value.size())};
  append(bytes_, bytes_of(header));
  append(bytes_, value);
  bytes_.resize(padded(bytes_.size()));
}

void MessageWriter::add_username(std::string_view username) {
  add(Attribute::Username, as_bytes(username));
}

void MessageWriter::add_use_candidate() { add(Attribute::UseCandidate, {}); }

void MessageWriter::add_controlling(std::uint64_t tie_breaker) {
  add(Attribute::IceControlling, bytes_of(be64(tie_breaker)));
}

void MessageWriter::add_controlled(std::uint64_t tie_breaker) {
  add(Attribute::IceControlled, bytes_of(be64(tie_breaker)));
}

void MessageWriter::add_priority(std::uint32_t priority) {
  add(Attribute::Priority, bytes_of(be32(priority)));
}

void MessageWriter::add_mapped_address(const Endpoint& endpoint) {
  const auto transaction =
      to_array<12>(ByteView(bytes_).subspan(kHeaderSize - sizeof(TransactionId)));
  ByteVector value = {std::byte{0}, endpoint.address.is_v4() ? kFamilyV4 : kFamilyV6};
  append(value, bytes_of(be16(static_cast<std::uint16_t>(endpoint.port ^ kPortMask))));
  append(value, masked(endpoint.address, transaction).bytes());
  add(Attribute::XorMappedAddress, value);
}

void MessageWriter::add_error(ErrorNumber number) {
  const auto code = static_cast<unsigned>(number);
  ByteVector value = {std::byte{0}, std::byte{0}, static_cast<std::byte>(code / 100),
                      static_cast<std::byte>(code % 100)};
  append(value, as_bytes(phrase_of(number)));
  add(Attribute::ErrorCode, value);
}

void MessageWriter::add_unknown_attributes(std::span<const std::uint16_t> types) {
  ByteVector value;
  for (const std::uint16_t type : types) append(value, bytes_of(be16(type)));
  add(Attribute::UnknownAttributes, value);
}

void MessageWriter::add_software(std::string_view name) {
  add(Attribute::Software, as_bytes(name));
}

ByteVector MessageWriter::finish(ByteView password) && {
  set_length(bytes_.size() + sizeof(AttributeHeader) + kIntegritySize);
  const Bytes<20> integrity = crypto::hmac_sha1(password, {bytes_});
  add(Attribute::MessageIntegrity, integrity);
  add_fingerprint();
  return std::move(bytes_);
}

ByteVector MessageWriter::finish() && {
  add_fingerprint();
  return std::move(bytes_);
}

void MessageWriter::add_fingerprint() {
  set_length(bytes_.size() + sizeof(AttributeHeader) + kFingerprintSize);
  add(Attribute::Fingerprint, bytes_of(be32(crc32({bytes_}) ^ kFingerprintMask)));
}

/// In the header: where the attribute that is added next will end.
void MessageWriter::set_length(std::size_t end) {
  const be16 length = static_cast<std::uint16_t>(end - kHeaderSize);
  std::memcpy(bytes_.data() + offsetof(Header, length), &length, sizeof length);
}

}  // namespace trellis::stun
