#include "protocol/dns/message.h"

#include <algorithm>

namespace trellis::dns {
namespace {

/// [RFC 1035 4.1.1]
///
///     0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
///   +-----------------------------------------------+
///   |                      ID                       |
///   |QR|   Opcode  |AA|TC|RD|RA| Z|AD|CD|   RCODE   |
///   |        QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT     |
///   +-----------------------------------------------+
struct Header {
  be16 id;
  be16 flags;
  be16 questions;
  be16 answers;
  be16 authorities;
  be16 additional;
};
static_assert(WireLayout<Header> && sizeof(Header) == 12);

constexpr std::uint16_t kIsResponse = 0x8000;
constexpr std::uint16_t kOpcodeMask = 0x7800;
constexpr std::uint16_t kAuthoritative = 0x0400;
constexpr std::uint16_t kTruncated = 0x0200;
constexpr std::uint16_t kRecursionDesired = 0x0100;
constexpr std::uint16_t kRecursionAvailable = 0x0080;
constexpr std::uint16_t kCheckingDisabled = 0x0010;

/// After the name of a record.
struct RecordHeader {
  be16 type;
  be16 klass;
  be32 ttl;
  be16 data_bytes;
};
static_assert(WireLayout<RecordHeader> && sizeof(RecordHeader) == 10);

constexpr std::uint16_t kAdditionalMax = 8;
constexpr std::uint16_t kPointer = 0xc000;  // and an offset from the header's first byte
constexpr std::uint16_t kQuestionOffset = sizeof(Header);
constexpr std::uint32_t kDnssecOk = 0x8000;  // in the TTL of an OPT record
constexpr std::size_t kDatagramBytesMin = 512;
constexpr std::size_t kStreamBytesMax = 65535;

std::uint16_t number(Rcode rcode) { return static_cast<std::uint16_t>(rcode); }

tl::unexpected<BadQuery> refuse(const Header& query, Rcode rcode) {
  Header header;
  header.id = query.id;
  header.flags = static_cast<std::uint16_t>(
      kIsResponse | (query.flags & (kOpcodeMask | kRecursionDesired)) | number(rcode));
  return fail(BadQuery{to_vector(bytes_of(header))});
}

/// Passes a name by: labels, then a zero or a pointer, which is not followed.
bool skip_name(Reader& reader) {
  while (true) {
    const auto length = std::to_integer<std::uint8_t>(reader.read<std::byte>());
    if ((length & 0xc0) == 0xc0) {
      reader.bytes(1);
      return reader.ok();
    }
    if (length > Name::kLabelBytesMax) return false;
    reader.bytes(length);
    if (!reader.ok() || length == 0) return reader.ok();
  }
}

/// Reads the additional section. Nothing if it is malformed, or has two OPT records or one that is
/// not the root's. [RFC 6891 6.1.1]
bool read_additional(Reader& reader, std::uint16_t count, std::optional<Edns>& edns) {
  for (std::uint16_t i = 0; i < count; ++i) {
    const std::size_t before = reader.remaining();
    if (!skip_name(reader)) return false;
    const bool is_root = before - reader.remaining() == 1;
    const auto header = reader.read<RecordHeader>();
    reader.bytes(header.data_bytes);
    if (!reader.ok()) return false;
    if (header.type != static_cast<std::uint16_t>(Type::Opt)) continue;
    if (edns || !is_root) return false;
    const std::uint32_t extended = header.ttl;  // rcode (8), version (8), flags (16)
    edns = Edns{.payload_bytes = header.klass,
                .version = static_cast<std::uint8_t>(extended >> 16 & 0xff),
                .dnssec_ok = (extended & kDnssecOk) != 0};
  }
  return true;
}

void append_record(ByteVector& message, const Record& record, const Question& question) {
  if (record.name == question.name) {
    append(message, bytes_of(be16(kPointer | kQuestionOffset)));
  } else if (question.name.is_within(record.name) && !record.name.labels().empty()) {
    const std::size_t offset =
        kQuestionOffset + question.name.wire().size() - record.name.wire().size();
    append(message, bytes_of(be16(static_cast<std::uint16_t>(kPointer | offset))));
  } else {
    append(message, record.name.wire());
  }
  RecordHeader header;
  header.type = static_cast<std::uint16_t>(record.type);
  header.klass = static_cast<std::uint16_t>(Class::In);
  header.ttl = record.ttl_seconds;
  header.data_bytes = static_cast<std::uint16_t>(record.data.size());
  append(message, bytes_of(header));
  append(message, record.data);
}

void append_edns(ByteVector& message, const Edns& asked, Rcode rcode) {
  message.push_back(std::byte{0});  // the root
  RecordHeader header;
  header.type = static_cast<std::uint16_t>(Type::Opt);
  header.klass = static_cast<std::uint16_t>(kDatagramBytesMax);
  header.ttl =
      static_cast<std::uint32_t>(number(rcode) >> 4) << 24 | (asked.dnssec_ok ? kDnssecOk : 0);
  append(message, bytes_of(header));
}

ByteVector write(const Query& query, const Response& response, bool truncated) {
  Header header;
  header.id = query.id;
  header.flags = static_cast<std::uint16_t>(
      kIsResponse | (response.authoritative ? kAuthoritative : 0) | (truncated ? kTruncated : 0) |
      (query.recursion_desired ? kRecursionDesired : 0) |
      (response.recursion_available ? kRecursionAvailable : 0) |
      (query.checking_disabled ? kCheckingDisabled : 0) | (number(response.rcode) & 0xf));
  header.questions = std::uint16_t{1};
  header.answers = static_cast<std::uint16_t>(truncated ? 0 : response.answers.size());
  header.authorities = static_cast<std::uint16_t>(truncated ? 0 : response.authorities.size());
  header.additional = static_cast<std::uint16_t>(query.edns ? 1 : 0);
  ByteVector message = to_vector(bytes_of(header));
  append(message, query.question.name.wire());
  append(message, bytes_of(be16(static_cast<std::uint16_t>(query.question.type))));
  append(message, bytes_of(be16(static_cast<std::uint16_t>(query.question.klass))));
  if (!truncated) {
    for (const Record& r : response.answers) append_record(message, r, query.question);
    for (const Record& r : response.authorities) append_record(message, r, query.question);
  }
  if (query.edns) append_edns(message, *query.edns, response.rcode);
  return message;
}

}  // namespace

Expected<Query, BadQuery> parse_query(ByteView message) {
  Reader reader(message);
  const auto header = reader.read<Header>();
  if (!reader.ok() || (header.flags & kIsResponse) != 0) return fail(BadQuery{});
  if ((header.flags & kOpcodeMask) != 0) return refuse(header, Rcode::NotImp);
  if (header.questions != 1 || header.answers != 0 || header.authorities != 0 ||
      header.additional > kAdditionalMax) {
    return refuse(header, Rcode::FormErr);
  }
  Query query;
  query.id = header.id;
  query.recursion_desired = (header.flags & kRecursionDesired) != 0;
  query.checking_disabled = (header.flags & kCheckingDisabled) != 0;
  auto name = Name::read(reader);
  if (!name) return refuse(header, Rcode::FormErr);
  query.question.name = *std::move(name);
  query.question.type = static_cast<Type>(std::uint16_t{reader.read<be16>()});
  query.question.klass = static_cast<Class>(std::uint16_t{reader.read<be16>()});
  if (!read_additional(reader, header.additional, query.edns) || !reader.at_end()) {
    return refuse(header, Rcode::FormErr);
  }
  return query;
}

Record address_record(const Name& name, std::uint32_t ttl_seconds, const IpAddress& address) {
  return {name, address.is_v4() ? Type::A : Type::Aaaa, ttl_seconds, to_vector(address.bytes())};
}

Record pointer_record(const Name& name, std::uint32_t ttl_seconds, const Name& target) {
  return {name, Type::Ptr, ttl_seconds, to_vector(target.wire())};
}

Record authority_record(const Name& zone, std::uint32_t ttl_seconds, const StartOfAuthority& soa) {
  Record record{zone, Type::Soa, ttl_seconds, to_vector(soa.primary.wire())};
  append(record.data, soa.responsible.wire());
  for (const std::uint32_t value : {soa.serial, soa.refresh_seconds, soa.retry_seconds,
                                    soa.expire_seconds, soa.negative_ttl_seconds}) {
    append(record.data, bytes_of(be32(value)));
  }
  return record;
}

ByteVector compose(const Query& query, const Response& response, Transport transport) {
  const std::size_t datagram =
      query.edns
          ? std::clamp<std::size_t>(query.edns->payload_bytes, kDatagramBytesMin, kDatagramBytesMax)
          : kDatagramBytesMin;
  const std::size_t most = transport == Transport::Udp ? datagram : kStreamBytesMax;
  ByteVector message = write(query, response, /*truncated=*/false);
  return message.size() <= most ? message : write(query, response, /*truncated=*/true);
}

}  // namespace trellis::dns
