#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "protocol/dns/name.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace trellis::dns {

/// Types of records, of questions too. Others come as their number.
enum class Type : std::uint16_t {
  A = 1,
  Ns = 2,
  Cname = 5,
  Soa = 6,
  Ptr = 12,
  Aaaa = 28,
  Opt = 41,
  Ixfr = 251,
  Axfr = 252,
  Any = 255,
};

enum class Class : std::uint16_t { In = 1, Any = 255 };

/// [RFC 1035 4.1.1, RFC 6891 9]
enum class Rcode : std::uint16_t {
  NoError = 0,
  FormErr = 1,   // we cannot read the question
  ServFail = 2,  // we could not find out
  NxDomain = 3,  // there is no such name
  NotImp = 4,    // that is no kind of question that we answer
  Refused = 5,   // not to you, or not by us
  BadVers = 16,  // of EDNS
};

struct Question {
  Name name;
  Type type = Type::A;
  Class klass = Class::In;
};

/// What the asker said beyond 1987. [RFC 6891 6.1]
struct Edns {
  std::uint16_t payload_bytes = 512;  // of a datagram that it can take
  std::uint8_t version = 0;
  bool dnssec_ok = false;
};

struct Query {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  bool checking_disabled = false;
  Question question;
  std::optional<Edns> edns;
};

/// A message that is no query of ours to answer.
struct BadQuery {
  /// The answer that says so; nothing if it deserves none: it is an answer itself, or has no
  /// header.
  std::optional<ByteVector> answer;
};

/// Reads a message with exactly one question, and nothing in it but that and EDNS. [RFC 1035 4.1]
///
///   header (12): id, flags, counts of questions 1, answers 0, authorities 0, additional 0..8
///   question: name, type (2), class (2)
///   additional: at most one OPT record; others are skipped
Expected<Query, BadQuery> parse_query(ByteView message);

struct Record {
  Name name;
  Type type = Type::A;
  std::uint32_t ttl_seconds = 0;
  ByteVector data;  // names in it uncompressed
};

Record address_record(const Name& name, std::uint32_t ttl_seconds, const IpAddress& address);
Record pointer_record(const Name& name, std::uint32_t ttl_seconds, const Name& target);

/// [RFC 1035 3.3.13]
struct StartOfAuthority {
  Name primary;      // the server that has the original
  Name responsible;  // its keeper's mailbox
  std::uint32_t serial = 0;
  std::uint32_t refresh_seconds = 0;
  std::uint32_t retry_seconds = 0;
  std::uint32_t expire_seconds = 0;
  std::uint32_t negative_ttl_seconds = 0;  // how long "there is none" may be remembered [RFC 2308]
};
Record authority_record(const Name& zone, std::uint32_t ttl_seconds, const StartOfAuthority& soa);

struct Response {
  Rcode rcode = Rcode::NoError;
  bool authoritative = false;
  bool recursion_available = false;
  std::vector<Record> answers;
  std::vector<Record> authorities;
};

enum class Transport : std::uint8_t { Udp, Tcp };

/// Datagrams of ours are no longer, whatever the asker can take: they are not to be fragmented.
inline constexpr std::size_t kDatagramBytesMax = 1232;

/// The message that answers `query`, without a length in front. What does not fit the transport is
/// left out whole, and the flag TC set: ask again by TCP. [RFC 2181 9]
ByteVector compose(const Query& query, const Response& response, Transport transport);

}  // namespace trellis::dns
