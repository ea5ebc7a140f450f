#pragma once

#include "base/bytes.h"

#include <cstdint>

namespace trellis::ip {

/// The sum of IP, TCP and UDP headers, in parts. [RFC 1071]
class InternetSum {
 public:
  /// Only the last part may be of odd size.
  InternetSum& add(ByteView bytes);
  InternetSum& add(std::uint16_t word);
  InternetSum& add(const InternetSum& other);

  /// Folded to 16 bits, not inverted; 0xffff for what adds up to zero, unless nothing was added.
  std::uint16_t folded() const;
  /// What goes into a checksum field that was summed as zero.
  std::uint16_t checksum() const { return static_cast<std::uint16_t>(~folded()); }

 private:
  std::uint64_t sum_ = 0;  // of words in the order of memory, carries added back in
};

/// The addresses, the protocol and the length that TCP and UDP sum up besides their own bytes.
/// `packet` has a whole fixed header of version 4 or 6. [RFC 9293 3.1, RFC 8200 8.1]
InternetSum pseudo_header_sum(ByteView packet, std::uint8_t protocol, std::size_t length);

}  // namespace trellis::ip
