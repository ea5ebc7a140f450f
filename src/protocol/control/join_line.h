#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace trellis::control {

/// Where a server is and how to know it again, in one line that can be pasted:
///
///   https://vpn.example.org#sha256:64 hexadecimal digits
///   https://192.0.2.1:8443#sha256:...
///   https://[2001:db8::1]#sha256:...
struct JoinLine {
  std::string host;  // a name in lower case, an IPv4 address, or an IPv6 address without brackets
  std::uint16_t port = 443;
  Bytes<32> fingerprint{};  // SHA-256 of the server's SubjectPublicKeyInfo

  /// "host", "host:port", "[v6]:port": what HTTP calls authority; port 443 is left out.
  std::string authority() const;
  std::string to_string() const;
  /// The error says what is wrong and what such a line looks like.
  static Result<JoinLine> parse(std::string_view text);
  friend auto operator<=>(const JoinLine&, const JoinLine&) = default;
};

/// Letters, digits and hyphens in labels of at most 63, 253 in all. [RFC 1123 2.1]
bool is_host_name(std::string_view text);

}  // namespace trellis::control
