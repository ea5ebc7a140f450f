#pragma once

#include "crypto/keys.h"

#include <optional>
#include <string>
#include <string_view>

namespace trellis::control {

/// A WireGuard key as text: 44 characters of base64.
std::string key_text(const crypto::PublicKey& key);
/// Strict: exactly what `key_text` gives.
std::optional<crypto::PublicKey> parse_key_text(std::string_view text);

/// The name of a Rosenpass key on the wire: number of the suite, V02 peer id. [pair rule 5]
using KeyNameBytes = Bytes<33>;

/// The bytes of such a field; nothing if it has another length (and so if it is absent).
std::optional<KeyNameBytes> read_key_name(std::string_view field);
/// "1:" and 64 hexadecimal digits, as people see it everywhere.
std::string key_name_text(const KeyNameBytes& name);

}  // namespace trellis::control
