#include "protocol/control/key_text.h"

#include "base/hex.h"

namespace trellis::control {

std::string key_text(const crypto::PublicKey& key) { return to_base64(key.bytes); }

std::optional<crypto::PublicKey> parse_key_text(std::string_view text) {
  if (text.size() != 44) return std::nullopt;
  const auto bytes = array_from_base64<32>(text);
  if (!bytes) return std::nullopt;
  return crypto::PublicKey{*bytes};
}

std::optional<KeyNameBytes> read_key_name(std::string_view field) {
  if (field.size() != KeyNameBytes{}.size()) return std::nullopt;
  return to_array<33>(as_bytes(field));
}

std::string key_name_text(const KeyNameBytes& name) {
  return std::to_string(std::to_integer<unsigned>(name[0])) + ":" +
         to_hex(ByteView(name).subspan(1));
}

}  // namespace trellis::control
