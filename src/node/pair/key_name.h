#pragma once

#include "protocol/rosenpass/key.h"

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::pair {

/// The name of a Rosenpass public key: the number of its suite and its V02 peer id. The half
/// megabyte itself need not be shown, compared or sent. [pair rule 5]
struct KeyName {
  std::uint8_t suite = 0;
  rosenpass::PeerHash pid;

  /// "1:" and 64 hexadecimal digits.
  std::string to_string() const;
  static std::optional<KeyName> parse(std::string_view text);
  friend auto operator<=>(const KeyName&, const KeyName&) = default;
};

}  // namespace trellis::pair
