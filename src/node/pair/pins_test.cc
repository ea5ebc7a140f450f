#include "node/pair/pins.h"

#include <gtest/gtest.h>

namespace trellis::pair {
namespace {

crypto::PublicKey peer(int n) {
  crypto::PublicKey key;
  key.bytes[0] = static_cast<std::byte>(n);
  return key;
}

KeyName key(int n) {
  KeyName name;
  name.suite = 1;
  name.pid.bytes[0] = static_cast<std::byte>(n);
  return name;
}

TEST(Pins, AChangedOrMissingKeyIsToldApart) {
  Pins pins;
  EXPECT_EQ(pins.check(peer(1), key(1)), Pins::Verdict::New);
  EXPECT_EQ(pins.check(peer(1), std::nullopt), Pins::Verdict::New);
  EXPECT_TRUE(pins.pin(peer(1), {key(1), "bob"}));
  EXPECT_EQ(pins.check(peer(1), key(1)), Pins::Verdict::Same);
  EXPECT_EQ(pins.check(peer(1), key(2)), Pins::Verdict::Changed);
  EXPECT_EQ(pins.check(peer(1), std::nullopt), Pins::Verdict::Missing);
}

TEST(Pins, APinIsNeverReplacedByAnotherExchange) {
  Pins pins;
  EXPECT_TRUE(pins.pin(peer(1), {key(1), "bob"}));
  EXPECT_FALSE(pins.pin(peer(1), {key(2), "bob"}));
  EXPECT_EQ(pins.check(peer(1), key(1)), Pins::Verdict::Same);
}

TEST(Pins, ANewWireGuardKeyUnderAKnownNameIsNoticed) {
  Pins pins;
  pins.pin(peer(1), {key(1), "bob"});
  EXPECT_EQ(pins.renamed("bob", peer(2)), peer(1));
  EXPECT_FALSE(pins.renamed("bob", peer(1)));
  EXPECT_FALSE(pins.renamed("carol", peer(2)));
}

const Pins::Listing kNobody = [](const crypto::PublicKey&) { return std::nullopt; };

TEST(Pins, TrustForgetsNoMachineThatIsListedByAnotherNameNow) {
  Pins pins;
  pins.pin(peer(1), {key(1), "bob"});  // "robert" today
  pins.pin(peer(2), {key(2), "carol"});
  pins.trust(peer(3), "bob", key(3), [](const crypto::PublicKey& listed) {
    return listed == peer(1) ? std::optional<std::string>("robert") : std::nullopt;
  });
  EXPECT_EQ(pins.check(peer(1), key(1)), Pins::Verdict::Same);
  EXPECT_EQ(pins.check(peer(1), key(9)), Pins::Verdict::Changed);
  EXPECT_EQ(pins.find(peer(1))->peer, "robert");
  EXPECT_FALSE(pins.renamed("bob", peer(3))) << "or the trusted one would stay refused";
  EXPECT_EQ(pins.check(peer(2), key(2)), Pins::Verdict::Same);
  EXPECT_EQ(pins.check(peer(3), key(3)), Pins::Verdict::Same);
}

TEST(Pins, TrustReplacesWhatWasKnownOfTheKeyAndOfTheName) {
  Pins pins;
  pins.pin(peer(1), {key(1), "bob"});
  pins.trust(peer(2), "bob", key(2), kNobody);
  EXPECT_EQ(pins.check(peer(2), key(2)), Pins::Verdict::Same);
  EXPECT_EQ(pins.find(peer(1)), nullptr);
  pins.trust(peer(2), "bob", std::nullopt, kNobody);
  EXPECT_TRUE(pins.all().empty());
}

TEST(KeyName, IsTheSuiteAndTheHashInText) {
  const std::string text = key(0xab).to_string();
  EXPECT_EQ(text, "1:ab" + std::string(62, '0'));
  EXPECT_EQ(KeyName::parse(text), key(0xab));
  for (const char* bad : {"", "1", ":", "1:", "x:ab", "256:", "1:zz"}) {
    EXPECT_FALSE(KeyName::parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace trellis::pair
