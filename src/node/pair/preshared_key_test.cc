#include "node/pair/preshared_key.h"

#include "base/hex.h"

#include <gtest/gtest.h>

namespace trellis::pair {
namespace {

crypto::PublicKey key_of(int value) {
  crypto::PublicKey key;
  key.bytes.fill(static_cast<std::byte>(value));
  return key;
}

Bytes<32> sample_output_key() {
  Bytes<32> key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i);
  return key;
}

// Computed by Python: hmac.new(bytes(range(32)), b"trellis wireguard psk" + bytes([1] * 32) +
// bytes([2] * 32), hashlib.blake2s).hexdigest()
constexpr const char* kKnownAnswer =
    "212447aadcc25d393c8f47741715e2a59558533b7ecba0d6317dfed32c5f0606";

TEST(PresharedKey, IsTheHmacOfBothIdentitiesInOrder) {
  EXPECT_EQ(to_hex(bind_to_identities(sample_output_key(), key_of(1), key_of(2)).expose()),
            kKnownAnswer);
  EXPECT_EQ(to_hex(bind_to_identities(sample_output_key(), key_of(2), key_of(1)).expose()),
            kKnownAnswer);
}

TEST(PresharedKey, OfOtherIdentitiesIsAnother) {
  EXPECT_NE(to_hex(bind_to_identities(sample_output_key(), key_of(1), key_of(3)).expose()),
            kKnownAnswer);
}

}  // namespace
}  // namespace trellis::pair
