#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"

namespace trellis::ip {

enum class ParseError {
  TooShort,        // not even a whole header
  UnknownVersion,  // neither 4 nor 6
  WrongLength,     // says that it is longer than it is, or shorter than its own header
};

/// What routing needs of an IP packet. [RFC 791 3.1, RFC 8200 3]
struct Header {
  IpAddress source;
  IpAddress destination;
  std::size_t total_length;  // header and payload, without whatever follows in the buffer
  std::uint8_t protocol;     // of IPv6: the first next header
};

/// Reads the fixed header only; checks neither checksum nor options.
Expected<Header, ParseError> parse(ByteView packet);

}  // namespace trellis::ip
