#pragma once

#include "base/time.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// How gRPC writes texts, bytes and times into headers. [gRPC PROTOCOL-HTTP2.md]

namespace trellis::grpc {

/// Standard alphabet, without padding.
std::string encode_base64(std::string_view bytes);
/// With or without padding, as peers write both; nothing else is forgiven.
std::optional<std::string> decode_base64(std::string_view text);

/// `grpc-message`: what is not printable ASCII, and '%', as %XX.
std::string percent_encode(std::string_view message);
/// Forgives: what is no %XX stays as it is.
std::string percent_decode(std::string_view text);

/// `grpc-timeout`: at most eight digits and a unit, rounded up. `timeout` is more than zero.
std::string format_timeout(Duration timeout);
/// No more than a year. None: malformed.
std::optional<Duration> parse_timeout(std::string_view text);

}  // namespace trellis::grpc
