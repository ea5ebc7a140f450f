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
  const std::pair<Version, const char*> cases[] = {{Version::V02, "incorrect_hmac_blake2b"},
                                                   {Version::V03, "shake256_prefix"}};
  for (const auto& [version, field] : cases) {
    SCOPED_TRACE(name(version));
    const auto known = check[field].get<std::string>();
    EXPECT_EQ(to_hex(keyed_hash(version, key, data)), known);
    EXPECT_EQ(to_hex(keyed_hash_secret(version, key, data).expose()), known);
  }
}

TEST(Labels, AreThoseOfTheImplementationsDeployed) {
  for (const Version version : {Version::V02, Version::V03}) {
    SCOPED_TRACE(name(version));
    const char* tree = version == Version::V02 ? "V02_BLAKE2b" : "V03_SHAKE256";
    const auto known = testing::read_vector_json("rosenpass/labels.json")[tree];
    const Labels& l = labels(version);
    const struct {
      const char* name;
      const crypto::Digest& value;
    } cases[] = {
        {"protocol", l.protocol},
        {"mac", l.mac},
        {"peer id", l.peer_id},
        {"biscuit additional data", l.biscuit},
        {"chaining key init", l.chaining_key_init},
        {"chaining key extract/mix", l.mix},
        {"chaining key extract/handshake encryption", l.handshake_encryption},
        {"chaining key extract/initiator handshake encryption", l.initiator_key},
        {"chaining key extract/responder handshake encryption", l.responder_key},
        {"chaining key extract/user/rosenpass.eu/wireguard psk", l.output_key},
        {"cookie", l.cookie},
        {"cookie-value", l.cookie_value},
        {"cookie-key", l.cookie_key},
    };
    for (const auto& c : cases) {
      SCOPED_TRACE(c.name);
      EXPECT_EQ(to_hex(c.value), known[c.name].get<std::string>());
    }
  }
}

}  // namespace
}  // namespace trellis::rosenpass
