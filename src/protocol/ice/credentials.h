#pragma once

#include "base/bytes.h"
#include "base/random.h"
#include "base/secret.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace trellis::ice {

// Of those that we make; others may be longer. [RFC 8445 5.3]
constexpr std::size_t kUfragSize = 16;
constexpr std::size_t kPasswordSize = 32;

/// What an agent's peer must know to check the agent's addresses: a name, which goes in the clear,
/// and the key of MESSAGE-INTEGRITY. [RFC 8445 5.3]
struct Credentials {
  std::string ufrag;
  SecretBuffer password;  // its characters

  Credentials clone() const { return {ufrag, password.clone()}; }
  /// "UFRAG:PASSWORD", as an offer carries it: a secret.
  std::string to_string() const;
};

Credentials generate_credentials(Random& random);

/// Those that random or derived bytes stand for.
Credentials make_credentials(std::span<const std::byte, kUfragSize / 4 * 3> name,
                             std::span<const std::byte, kPasswordSize / 4 * 3> secret);

/// Reads "UFRAG:PASSWORD": 4 to 256 and 22 to 256 characters of the ice alphabet. [RFC 8839 5.4]
std::optional<Credentials> parse_credentials(std::string_view text);

}  // namespace trellis::ice
