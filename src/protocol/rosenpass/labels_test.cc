#include "protocol/rosenpass/labels.h"

#include "protocol/rosenpass/keyed_hash.h"
#include "testing/vector_json.h"

#include <gtest/gtest.h>

namespace trellis::rosenpass {
namespace {

TEST(KeyedHash, GivesTheValueOfTheImplementationsDeployed) {
  const auto check = testing::read_vector_json("rosenpass/labels.json")["primitive_check"];
  const auto key = to_array<32>(testing::hex_of(check["key"]));
  const ByteVector data = testing::hex_of(check["data"]);
  EXPECT_EQ(to_hex(keyed_hash(key, data)), check["incorrect_hmac_blake2b"].get<std::string>());
  EXPECT_EQ(to_hex(keyed_hash_secret(key, data).expose()),
            check["incorrect_hmac_blake2b"].get<std::string>());
}

TEST(Labels, AreThoseOfTheImplementationsDeployed) {
  const auto known = testing::read_vector_json("rosenpass/labels.json")["V02_BLAKE2b"];
  const struct {
    const char* name;
    const crypto::Digest& value;
  } cases[] = {
      {"protocol", labels().protocol},
      {"mac", labels().mac},
      {"peer id", labels().peer_id},
      {"biscuit additional data", labels().biscuit},
      {"chaining key init", labels().chaining_key_init},
      {"chaining key extract/mix", labels().mix},
      {"chaining key extract/handshake encryption", labels().handshake_encryption},
      {"chaining key extract/initiator handshake encryption", labels().initiator_key},
      {"chaining key extract/responder handshake encryption", labels().responder_key},
      {"chaining key extract/user/rosenpass.eu/wireguard psk", labels().output_key},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(to_hex(c.value), known[c.name].get<std::string>());
  }
}

}  // namespace
}  // namespace trellis::rosenpass
