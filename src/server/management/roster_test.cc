#include "server/management/roster.h"

#include "server/store/memory_store.h"
#include "testing/random.h"

#include <gtest/gtest.h>

#include <set>

namespace trellis::server {
namespace {

constexpr WallTime kNow{1'760'000'000'000'000'000};

class RosterTest : public ::testing::Test {
 protected:
  Roster open(WallTime now = kNow) { return *Roster::open(store_, random_, now); }

  control::SetupKey put_key(Roster& roster, const std::function<void(SetupKeyRecord&)>& change) {
    control::SetupKey key = control::SetupKey::generate(random_);
    SetupKeyRecord record;
    record.id = "k" + std::to_string(++made_);
    record.hash = key.hash();
    record.reusable = true;
    change(record);
    EXPECT_TRUE(roster.put_setup_key(record));
    return key;
  }
  control::SetupKey put_key(Roster& roster) {
    return put_key(roster, [](SetupKeyRecord&) {});
  }

  Introduction stranger() {
    Introduction introduction;
    introduction.key.bytes = random_.bytes<32>();
    introduction.host_name = "m";
    return introduction;
  }

  std::optional<KeyRefusal> refusal(Roster& roster, const control::SetupKey& key,
                                    WallTime now = kNow) {
    const auto admitted = roster.admit(stranger(), key, now);
    if (admitted) return std::nullopt;
    return std::get<KeyRefusal>(admitted.error());
  }

  MemoryStore store_;
  testing::SeededRandom random_{1};
  int made_ = 0;
};

TEST_F(RosterTest, MakesANetworkOnceAndKeepsIt) {
  Roster first = open();
  EXPECT_EQ(first.network().v4.length(), 16);
  EXPECT_TRUE(Prefix::parse("100.64.0.0/10")->contains(first.network().v4.address()));
  EXPECT_EQ(first.network().v6.length(), 64);
  EXPECT_TRUE(Prefix::parse("fd00::/8")->contains(first.network().v6.address()));
  const Roster second = open();
  EXPECT_EQ(second.network().v4, first.network().v4);
  EXPECT_EQ(second.network().v6, first.network().v6);
  EXPECT_TRUE(crypto::equal(second.network().box.expose(), first.network().box.expose()));
}

TEST_F(RosterTest, EveryNetworkIsAnother) {
  std::set<Prefix> networks;
  for (int i = 0; i < 20; ++i) {
    MemoryStore store;
    networks.insert(Roster::open(store, random_, kNow)->network().v6);
  }
  EXPECT_EQ(networks.size(), 20U);
}

TEST_F(RosterTest, TellsWhyASetupKeyAdmitsNobody) {
  Roster roster = open();
  EXPECT_EQ(refusal(roster, control::SetupKey::generate(random_)), KeyRefusal::Unknown);
  const auto revoked = put_key(roster, [](auto& key) { key.revoked = true; });
  EXPECT_EQ(refusal(roster, revoked), KeyRefusal::Revoked);
  const auto expired = put_key(roster, [](auto& key) { key.expires = kNow; });
  EXPECT_EQ(refusal(roster, expired), KeyRefusal::Expired);
  const auto one_off = put_key(roster, [](auto& key) { key.reusable = false; });
  EXPECT_EQ(refusal(roster, one_off), std::nullopt);
  EXPECT_EQ(refusal(roster, one_off), KeyRefusal::UsedUp);
  const auto limited = put_key(roster, [](auto& key) { key.usage_limit = 2; });
  EXPECT_EQ(refusal(roster, limited), std::nullopt);
  EXPECT_EQ(refusal(roster, limited), std::nullopt);
  EXPECT_EQ(refusal(roster, limited), KeyRefusal::UsedUp);
}

TEST_F(RosterTest, FillsItsWholeNetworkAndSaysWhenItIsFull) {
  Roster roster = open();
  const auto key = put_key(roster);
  std::set<IpAddress> addresses;
  for (std::uint32_t i = 0; i < 65'534; ++i) {
    Introduction introduction = stranger();
    introduction.host_name = "m" + std::to_string(i);
    const auto admitted = roster.admit(introduction, key, kNow);
    ASSERT_TRUE(admitted) << i;
    addresses.insert((*admitted)->v4);
    ASSERT_TRUE(roster.network().v6.contains((*admitted)->v6));
  }
  EXPECT_EQ(addresses.size(), 65'534U);
  const auto network = roster.network().v4.address().bytes();
  const auto with_host = [&](std::uint8_t a, std::uint8_t b) {
    return IpAddress::v4({network[0], network[1], std::byte{a}, std::byte{b}});
  };
  EXPECT_FALSE(addresses.contains(with_host(0, 0)));
  EXPECT_FALSE(addresses.contains(with_host(255, 255)));
  const auto full = roster.admit(stranger(), key, kNow);
  ASSERT_FALSE(full);
  EXPECT_EQ(std::get<Error>(full.error()).message, "all addresses of the network are taken");
}

TEST_F(RosterTest, SerialsAreAboveTheClockAndRiseWithEveryChange) {
  Roster roster = open();
  EXPECT_EQ(roster.serial(), 1'760'000'000'000U);
  const auto key = put_key(roster);
  EXPECT_EQ(roster.serial(), 1'760'000'000'000U) << "nobody's map has changed";
  ASSERT_TRUE(roster.admit(stranger(), key, kNow));
  EXPECT_EQ(roster.serial(), 1'760'000'000'001U);
  const Roster set_back = open(WallTime{5});
  EXPECT_EQ(set_back.serial(), 1'760'000'000'002U);
}

TEST_F(RosterTest, KnowsWhatHasChanged) {
  Roster roster = open();
  const auto key = put_key(roster);
  const auto begin = roster.serial();
  const PeerRecord a = **roster.admit(stranger(), key, kNow);
  const auto middle = roster.serial();
  const PeerRecord b = **roster.admit(stranger(), key, kNow);
  ASSERT_TRUE(roster.rename(a.key, "new", kNow));
  EXPECT_EQ(roster.changed_since(roster.serial()), std::set<crypto::PublicKey>{});
  EXPECT_EQ(roster.changed_since(middle), (std::set<crypto::PublicKey>{a.key, b.key}));
  EXPECT_EQ(roster.changed_since(begin - 1), std::nullopt) << "before the start";
  EXPECT_EQ(roster.changed_since(roster.serial() + 1), std::nullopt) << "of another server";
  ASSERT_TRUE(roster.remove(b.key, kNow));
  EXPECT_EQ(roster.find("new")->key, a.key);
  EXPECT_EQ(roster.find(b.name), nullptr);
}

TEST_F(RosterTest, ANameThatIsFreeAgainMayBeGiven) {
  Roster roster = open();
  const auto key = put_key(roster);
  const PeerRecord a = **roster.admit(stranger(), key, kNow);
  EXPECT_EQ(a.name, "m");
  ASSERT_TRUE(roster.rename(a.key, "other", kNow));
  EXPECT_EQ((*roster.admit(stranger(), key, kNow))->name, "m");
  EXPECT_EQ((*roster.admit(stranger(), key, kNow))->name, "m-2");
  EXPECT_FALSE(roster.rename(a.key, "m", kNow));
  EXPECT_TRUE(roster.rename(a.key, "other", kNow)) << "its own";
}

TEST_F(RosterTest, AStoreThatFailsChangesNothingInMemory) {
  Roster roster = open();
  const auto key = put_key(roster, [](auto& record) { record.reusable = false; });
  const PeerRecord before = **roster.admit(stranger(), put_key(roster), kNow);
  const auto serial = roster.serial();
  store_.set_failure("no space left on device");
  EXPECT_FALSE(roster.admit(stranger(), key, kNow));
  EXPECT_FALSE(roster.rename(before.key, "x", kNow));
  EXPECT_FALSE(roster.remove(before.key, kNow));
  EXPECT_EQ(roster.serial(), serial);
  EXPECT_EQ(roster.peers().size(), 1U);
  EXPECT_EQ(*roster.find(before.key), before);
  store_.set_failure("");
  EXPECT_TRUE(roster.admit(stranger(), key, kNow)) << "the key was not spent";
}

}  // namespace
}  // namespace trellis::server
