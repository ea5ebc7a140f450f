#include "protocol/control/setup_key.h"

#include "testing/random.h"

#include <gtest/gtest.h>

#include <set>

namespace trellis::control {
namespace {

constexpr const char* kText = "A2C8E62B-38F5-4553-B31E-DD66C696CEBB";
constexpr const char* kHash =
    "uXspNY+GG/bbf0inGAz7i1Yb7ZtGQghH2PwMtZG4LI0=";  // [netbird-wire 10.1]

TEST(SetupKey, HasTheHashOfStockServersInEitherCase) {
  for (const char* text : {kText, "a2c8e62b-38f5-4553-b31e-dd66c696cebb",
                           "  a2c8E62b-38f5-4553-b31e-Dd66c696cebb\r\n"}) {
    SCOPED_TRACE(text);
    const auto key = SetupKey::parse(text);
    ASSERT_TRUE(key.has_value());
    EXPECT_EQ(key->text(), kText);
    EXPECT_EQ(key->hash(), kHash);
    EXPECT_FALSE(key->is_nil());
  }
}

TEST(SetupKey, RefusesEverythingElseWithoutQuotingIt) {
  for (const char* text :
       {"", "\n", "A2C8E62B-38F5-4553-B31E-DD66C696CEB", "A2C8E62B-38F5-4553-B31E-DD66C696CEBBB",
        "A2C8E62B038F5-4553-B31E-DD66C696CEBB", "G2C8E62B-38F5-4553-B31E-DD66C696CEBB",
        "A2C8E62B38F54553B31EDD66C696CEBB", "{A2C8E62B-38F5-4553-B31E-DD66C696CEBB}",
        "A2C8E62B-38F5-4553-B31E-DD66C696CEBB x", "-2C8E62B-38F5-4553-B31E-DD66C696CEBB"}) {
    SCOPED_TRACE(text);
    const auto key = SetupKey::parse(text);
    ASSERT_FALSE(key.has_value());
    EXPECT_EQ(key.error().message.find("C8E"), std::string::npos);
  }
}

TEST(SetupKey, OfStockClientsWithAJwtIsNil) {
  const auto key = SetupKey::parse("00000000-0000-0000-0000-000000000000");
  ASSERT_TRUE(key.has_value());
  EXPECT_TRUE(key->is_nil());
}

TEST(SetupKey, GeneratedIsARandomUuidOfVersionFour) {
  testing::SeededRandom random(1);
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const SetupKey key = SetupKey::generate(random);
    const std::string text(key.text());
    ASSERT_EQ(text.size(), SetupKey::kTextBytes);
    EXPECT_EQ(text[14], '4');
    EXPECT_NE(std::string("89AB").find(text[19]), std::string::npos);
    const auto again = SetupKey::parse(text);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->text(), text);
    EXPECT_EQ(again->hash(), key.hash());
    EXPECT_TRUE(seen.insert(text).second);
  }
}

TEST(SetupKey, GeneratedUsesEveryByteThatWasDrawn) {
  testing::ScriptedRandom random;
  Bytes<16> drawn;
  for (std::size_t i = 0; i < drawn.size(); ++i) drawn[i] = std::byte(0x11 * (i % 16));
  random.push(drawn);
  EXPECT_EQ(SetupKey::generate(random).text(), "00112233-4455-4677-8899-AABBCCDDEEFF");
}

}  // namespace
}  // namespace trellis::control
