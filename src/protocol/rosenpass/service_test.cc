#include "protocol/rosenpass/service.h"

#include "base/hex.h"
#include "protocol/rosenpass/constants.h"
#include "testing/rosenpass/world.h"

#include <gtest/gtest.h>

namespace trellis::rosenpass {
namespace {

/// Two services, one of which knows the other's address.
class Services : public ::testing::Test {
 protected:
  static Service make(const crypto::KemKeyPair& keys, Random& random) {
    return *Service::create(keys.public_key, keys.secret_key.expose(), random,
                            {.suite = &small_suite()});
  }
  void introduce() {
    peer_of_first_ = *first_.add_peer(now_, keys_.second.public_key, {.path = kSecond});
    peer_of_second_ = *second_.add_peer(now_, keys_.first.public_key, {});
  }
  /// Carries everything to and fro, without delay.
  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      first_.handle_timeout(now_);
      second_.handle_timeout(now_);
      while (auto out = first_.poll_transmit()) {
        moved = true;
        if (deliver_) second_.handle_datagram(now_, kFirst, out->bytes);
      }
      while (auto out = second_.poll_transmit()) {
        moved = true;
        if (deliver_) first_.handle_datagram(now_, kSecond, out->bytes);
      }
    }
  }
  static std::string text(const std::optional<Service::KeyChange>& change) {
    if (!change) return "none";
    return change->key ? to_hex(change->key->expose()) : "dead";
  }

  TimePoint now_{};
  TwoKeys keys_{small_suite(), 1, true};
  testing::SeededRandom first_random_{1};
  testing::SeededRandom second_random_{2};
  Service first_ = make(keys_.first, first_random_);
  Service second_ = make(keys_.second, second_random_);
  PeerId peer_of_first_{};
  PeerId peer_of_second_{};
  bool deliver_ = true;
};

TEST_F(Services, TellBothEndsTheSameKey) {
  introduce();
  settle();
  const auto at_first = first_.poll_key();
  const auto at_second = second_.poll_key();
  EXPECT_EQ(text(at_first), text(at_second));
  ASSERT_EQ(text(at_first).size(), 64U);
  EXPECT_EQ(at_first->peer, peer_of_first_);
  EXPECT_EQ(text(first_.poll_key()), "none") << "once";
  EXPECT_EQ(second_.heard_from(peer_of_second_), kFirst);
  EXPECT_FALSE(first_.heard_from(peer_of_first_));
}

TEST_F(Services, CallBackIfAsked) {
  introduce();
  std::vector<std::string> told;
  first_.on_key([&](const Service::KeyChange& change) {
    told.push_back(change.key ? to_hex(change.key->expose()) : "dead");
  });
  settle();
  EXPECT_EQ(told, std::vector<std::string>{text(second_.poll_key())});
  EXPECT_EQ(text(first_.poll_key()), "none");
}

TEST_F(Services, RenewFromEitherEnd) {
  introduce();
  settle();
  const std::string before = text(first_.poll_key());
  (void)second_.poll_key();
  now_ += kRenewAsResponder;  // the second end has learned where the first one is
  settle();
  const std::string after = text(first_.poll_key());
  EXPECT_EQ(after.size(), 64U);
  EXPECT_NE(after, before);
  EXPECT_EQ(text(second_.poll_key()), after);
  EXPECT_EQ(second_.status(peer_of_second_).proven, 1U);
}

TEST_F(Services, TellThatAKeyIsDead) {
  introduce();
  settle();
  (void)first_.poll_key();
  deliver_ = false;
  now_ += kRejectAfter;
  first_.handle_timeout(now_);
  EXPECT_EQ(text(first_.poll_key()), "dead");
}

TEST_F(Services, ForgetPeersThatAreRemoved) {
  introduce();
  settle();
  first_.remove_peer(peer_of_first_);
  EXPECT_EQ(text(first_.poll_key()), "none") << "what it had not taken is not told any more";
  now_ += 10min;
  first_.handle_timeout(now_);
  EXPECT_FALSE(first_.poll_transmit());
  ASSERT_TRUE(first_.add_peer(now_, keys_.second.public_key, {.path = kSecond}));
  settle();
  EXPECT_EQ(text(first_.poll_key()).size(), 64U);
}

TEST_F(Services, RefuseKeysOfAWrongSize) {
  testing::SeededRandom random(1);
  const auto made = Service::create(ByteVector(7), keys_.first.secret_key.expose(), random,
                                    {.suite = &small_suite()});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("800"), std::string::npos) << made.error().message;
  EXPECT_FALSE(
      Service::create(keys_.first.public_key, ByteVector(7), random, {.suite = &small_suite()}));
  EXPECT_FALSE(first_.add_peer(now_, ByteVector(7), {}));
}

}  // namespace
}  // namespace trellis::rosenpass
