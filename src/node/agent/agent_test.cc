// A pair in virtual time: what its users see, rule by rule.

#include "node/agent/agent_sim_test.h"

#include <gmock/gmock.h>

namespace trellis::agent {
namespace {

using ::testing::HasSubstr;
using Fate = AgentSim::Fate;
using Protection = pair::Status::Protection;

const rosenpass::Layout& layout() {
  static const rosenpass::Layout layout(small_suite());
  return layout;
}

bool is_rosenpass(ByteView datagram) {
  return protocol_of(datagram, layout()) == Protocol::Rosenpass;
}
bool is_wireguard(ByteView datagram) {
  return protocol_of(datagram, layout()) == Protocol::WireGuard;
}

/// Both hosts started; runs until they agree.
void bring_up(AgentSim& sim) {
  sim.start(0);
  sim.start(1);
  ASSERT_TRUE(sim.run_until(sim.now() + 10s, [&] { return sim.agreed(); }));
}

TEST(Agent, S36NoWireGuardMessagePrecedesTheCompletedExchange) {
  AgentSim sim(1);
  std::vector<std::byte> types;
  sim.observer = [&](std::size_t, ByteView datagram) { types.push_back(datagram[0]); };
  bring_up(sim);
  const auto first_wireguard =
      std::find_if(types.begin(), types.end(), [](auto type) { return type <= std::byte{4}; });
  ASSERT_NE(first_wireguard, types.end());
  EXPECT_NE(std::find(types.begin(), first_wireguard, std::byte{0x84}), first_wireguard);
}

TEST(Agent, TheFirstPacketWaitsForTheKeyAndIsNotLost) {
  AgentSim sim(2);
  sim.start(0);
  sim.start(1);
  sim.ping(0);
  EXPECT_TRUE(sim.run_until(sim.now() + 2s, [&] { return sim.received(1) == 1; }));
}

TEST(Agent, S39StrictPairsPassNothingWhileTheExchangeIsBlockedAndSayWhy) {
  AgentSim sim(3);
  bool blocked = true;
  sim.interceptor = [&](std::size_t, std::uint64_t, ByteView datagram) -> std::optional<Fate> {
    if (blocked && is_rosenpass(datagram)) return Fate::Drop;
    return std::nullopt;
  };
  sim.observer = [&](std::size_t, ByteView datagram) {
    EXPECT_FALSE(blocked && is_wireguard(datagram));
  };
  sim.start(0);
  sim.start(1);
  for (int i = 0; i < 60; ++i) {
    sim.ping(0);
    sim.run_for(1s);
  }
  EXPECT_EQ(sim.received(1), 0U);
  for (std::size_t host : {0U, 1U}) {
    const auto status = sim.pair(host).status(sim.now());
    EXPECT_EQ(status.protection, Protection::None);
    EXPECT_THAT(status.why_not, HasSubstr("no answer to the key exchange"));
  }
  blocked = false;
  EXPECT_TRUE(sim.run_until(sim.now() + 5s, [&] { return sim.agreed(); }));
}

TEST(Agent, S9RenewalsLoseNoPacket) {
  AgentSim sim(4);
  bring_up(sim);
  for (int i = 0; i < 11 * 60 * 10; ++i) {
    sim.ping(i % 2 == 0 ? 0 : 1);
    sim.run_for(100ms);
  }
  EXPECT_EQ(sim.received(1), sim.sent(0));
  EXPECT_EQ(sim.received(0), sim.sent(1));
  EXPECT_GE(sim.pair(0).status(sim.now()).renewals, 4U);
  // The session in use is under the newest key but for the moment of a renewal.
  const auto status = sim.pair(0).status(sim.now());
  ASSERT_TRUE(status.session_key_age && status.current_key_age);
  EXPECT_LE(*status.session_key_age - *status.current_key_age, 1s);
}

TEST(Agent, S38RenewalsLoseNoPacketWhileTheNetworkDelaysAndReorders) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    AgentSim sim(seed);
    sim.faults.jitter = 60ms;
    sim.faults.duplication = 0.2;
    bring_up(sim);
    for (int i = 0; i < 300 * 10; ++i) {
      sim.ping(0);
      sim.run_for(100ms);
    }
    sim.run_for(1s);
    EXPECT_EQ(sim.received(1), sim.sent(0));
  }
}

TEST(Agent, ARestartOfOneEndIsHealedByItsOwnExchange) {
  for (std::size_t host : {0U, 1U}) {
    AgentSim sim(5 + host);
    bring_up(sim);
    sim.run_for(20s);
    sim.crash(host);
    sim.run_for(500ms);
    sim.start(host);
    EXPECT_TRUE(sim.run_until(sim.now() + 700ms, [&] { return sim.agreed(); }));
    sim.ping(0);
    sim.ping(1);
    sim.run_for(1s);
    EXPECT_EQ(sim.received(0), 1U);
    EXPECT_EQ(sim.received(1), 1U);
  }
}

TEST(Agent, ARestartedEndThatKnowsNoEndpointIsFoundByTheOther) {
  AgentSim sim(6);
  sim.start(0);
  sim.start(1, /*knows_endpoint=*/false);
  ASSERT_TRUE(sim.run_until(sim.now() + 10s, [&] { return sim.agreed(); }));
  sim.crash(1);
  sim.start(1, /*knows_endpoint=*/false);
  // It cannot begin, so the other end must notice: by traffic that is not answered.
  const TimePoint end = sim.now() + 40s;
  while (sim.now() < end && !sim.agreed()) {
    sim.ping(0);
    sim.run_for(500ms);
  }
  EXPECT_TRUE(sim.agreed());
}

TEST(Agent, ASleepOfTenMinutesAndAClockSetBackByADayAreHealedWithinTwoSeconds) {
  AgentSim sim(7);
  bring_up(sim);
  sim.run_for(10s);
  sim.suspend(600s);
  sim.set_wall_offset(0, -std::chrono::hours(24));
  EXPECT_FALSE(sim.usable(0));
  EXPECT_TRUE(sim.run_until(sim.now() + 2s, [&] { return sim.agreed(); }));
}

TEST(Agent, ARestoredSnapshotWithAClockSetBackLocksNobodyOut) {
  for (std::size_t host : {0U, 1U}) {
    AgentSim sim(8);
    const std::string empty;
    bring_up(sim);
    sim.run_for(300s);
    sim.crash(host);
    sim.disk(host) = empty;  // as old as a snapshot can be
    sim.set_wall_offset(host, -std::chrono::hours(24));
    sim.start(host);
    EXPECT_TRUE(sim.run_until(sim.now() + 3s, [&] { return sim.agreed(); }));
    sim.run_for(600s);
    EXPECT_TRUE(sim.agreed());
  }
}

TEST(Agent, TimesOfInitiationsRiseAcrossRestartsWhateverTheClockSays) {
  AgentSim sim(9);
  bring_up(sim);
  sim.crash(0);
  sim.set_wall_offset(0, -std::chrono::hours(24));
  sim.start(0);
  EXPECT_TRUE(sim.run_until(sim.now() + 700ms, [&] { return sim.agreed(); }));
}

TEST(Agent, APeerWithAnotherKeyThanThePinnedOneIsRefusedAndBothSaySo) {
  AgentSim sim(10);
  bring_up(sim);
  sim.crash(0);
  sim.crash(1);
  sim.give_new_rosenpass_key(1);
  sim.start(0);
  sim.start(1);
  sim.run_for(20s);
  EXPECT_FALSE(sim.usable(0));
  EXPECT_FALSE(sim.usable(1));
  EXPECT_THAT(sim.pair(0).status(sim.now()).why_not, HasSubstr("is not the pinned"));
  EXPECT_THAT(sim.pair(1).status(sim.now()).why_not, HasSubstr("does not trust our key"));
  ASSERT_TRUE(sim.agent(0).trust(sim.now(), "peer1"));
  EXPECT_TRUE(sim.run_until(sim.now() + 5s, [&] { return sim.agreed(); }));
  EXPECT_FALSE(sim.agent(0).trust(sim.now(), "nobody"));
}

/// The peer of host 0, and others with keys that cannot be used.
std::vector<pair::PeerConfig> with_odd_peers(const AgentSim& sim, ByteView odd_key) {
  std::vector<pair::PeerConfig> peers{sim.pair(0).config()};
  for (std::uint8_t i = 1; i <= 2; ++i) {
    pair::PeerConfig odd;
    odd.name = "odd" + std::to_string(i);
    odd.wireguard_key.bytes[0] = std::byte{i};
    odd.addresses = {*Prefix::parse("100.99.0." + std::to_string(i) + "/32")};
    odd.path_source = pair::PathSource::Owner;
    odd.key_name = peers[0].key_name;
    odd.key_name->suite = static_cast<std::uint8_t>(200 + i);  // the same hash: no twin by name
    odd.rosenpass_key = i == 1 ? odd_key : peers[0].rosenpass_key;
    peers.push_back(std::move(odd));
  }
  return peers;
}

TEST(Agent, AKeyThatCannotBeUsedIsToldAndDisturbsNobody) {
  AgentSim sim(12);
  bring_up(sim);
  const ByteVector short_key(100);
  sim.agent(0).set_peers(sim.now(), pair::Mode::Strict, with_odd_peers(sim, short_key));
  ASSERT_EQ(sim.agent(0).pairs().size(), 3U);
  const auto why = [&](std::size_t i) {
    return sim.agent(0).pairs()[i]->status(sim.now()).why_not;
  };
  EXPECT_THAT(why(1), HasSubstr("of another kind"));
  EXPECT_THAT(why(2), HasSubstr("another peer is listed with the same Rosenpass key"));
  sim.run_for(200s);
  EXPECT_TRUE(sim.agreed());
  EXPECT_THAT(why(2), HasSubstr("another peer is listed with the same Rosenpass key"));
}

TEST(Agent, StatusSpeaksOfTheSessionInUse) {
  AgentSim sim(11);
  bring_up(sim);
  sim.run_for(50s);
  const auto status = sim.pair(0).status(sim.now());
  EXPECT_EQ(status.protection, Protection::PostQuantum);
  EXPECT_EQ(status.why_not, "");
  ASSERT_TRUE(status.session_key_age);
  EXPECT_GE(*status.session_key_age, 49s);
  EXPECT_LE(*status.session_key_age, 52s);
  EXPECT_EQ(status.renewals, 0U);
}

TEST(Agent, ASessionWithoutAKeyOfAnExchangeReadsNo) {
  AgentSim sim(12);
  bring_up(sim);
  sim.run_for(1s);  // a peer takes no two initiations at once
  // No path of the program leads here; a fault would have to.
  for (std::size_t host : {0U, 1U}) {
    auto& device = const_cast<wireguard::Device&>(sim.agent(host).wireguard());
    device.set_preshared_key(sim.now(), *sim.pair(host).wireguard_id(),
                             crypto::PresharedKey::zero());
  }
  auto& device = const_cast<wireguard::Device&>(sim.agent(0).wireguard());
  device.start_handshake(sim.now(), *sim.pair(0).wireguard_id(), wireguard::Running::Cancel);
  sim.run_for(1s);
  sim.ping(0);
  sim.run_for(1s);
  for (std::size_t host : {0U, 1U}) {
    const auto status = sim.pair(host).status(sim.now());
    EXPECT_EQ(status.protection, Protection::Plain);
    EXPECT_THAT(status.why_not, HasSubstr("without a key of an exchange"));
    EXPECT_FALSE(status.session_key_age);
  }
}

TEST(Agent, S41PermissivePairsGoPostQuantumAndNeverBack) {
  AgentSim sim(13, pair::Mode::Permissive);
  bring_up(sim);
  EXPECT_EQ(sim.pair(0).status(sim.now()).protection, Protection::PostQuantum);
  sim.crash(0);
  sim.start_without_peer_key(0);
  sim.run_for(10s);
  EXPECT_THAT(sim.pair(0).status(sim.now()).why_not, HasSubstr("now listed without one"));
  sim.ping(0);
  sim.run_for(5s);
  EXPECT_EQ(sim.received(1), 0U);
}

TEST(Agent, S41PermissivePairsWithoutKeysArePlainAndMarked) {
  AgentSim sim(14, pair::Mode::Permissive);
  sim.start_without_peer_key(0);
  sim.start_without_peer_key(1);
  sim.ping(0);
  EXPECT_TRUE(sim.run_until(sim.now() + 5s, [&] { return sim.received(1) == 1; }));
  const auto status = sim.pair(0).status(sim.now());
  EXPECT_EQ(status.protection, Protection::Plain);
  EXPECT_THAT(status.why_not, HasSubstr("no post-quantum key"));
}

TEST(Agent, S39AStrictAgentDoesNotTalkToAPeerWithoutAKey) {
  AgentSim sim(15, pair::Mode::Strict);
  sim.start_without_peer_key(0);
  sim.start_without_peer_key(1);
  bool anything = false;
  sim.observer = [&](std::size_t, ByteView) { anything = true; };
  sim.ping(0);
  sim.run_for(30s);
  EXPECT_FALSE(anything);
  EXPECT_THAT(sim.pair(0).status(sim.now()).why_not, HasSubstr("no post-quantum key"));
}

TEST(Agent, AReloadedListMayBringTheSameKeysInOtherMemory) {
  AgentSim sim(16);
  bring_up(sim);
  pair::PeerConfig config = sim.pair(0).config();
  const ByteVector fresh = to_vector(config.rosenpass_key);
  ByteVector stale = fresh;
  sim.agent(0).set_peers(sim.now(), pair::Mode::Strict, {});
  config.rosenpass_key = stale;
  sim.agent(0).set_peers(sim.now(), pair::Mode::Strict, {config});
  const pair::Pair* const before = &sim.pair(0);
  config.rosenpass_key = fresh;
  sim.agent(0).set_peers(sim.now(), pair::Mode::Strict, {config});
  std::fill(stale.begin(), stale.end(), std::byte{0});  // what was mapped is there no more
  EXPECT_EQ(&sim.pair(0), before);
  sim.run_for(400s);
  EXPECT_TRUE(sim.agreed());
  EXPECT_GE(sim.pair(0).status(sim.now()).renewals, 2U);
}

TEST(Agent, APacketThatWaitsIsNotSentToAPeerWhoseAddressIsAnothersNow) {
  AgentSim sim(21);
  sim.start(0);
  sim.ping(0);
  pair::PeerConfig config = sim.pair(0).config();
  config.addresses = {*Prefix::parse("100.64.0.7/32")};
  sim.agent(0).set_peers(sim.now(), pair::Mode::Strict, {config});
  sim.start(1);
  ASSERT_TRUE(sim.run_until(sim.now() + 10s, [&] { return sim.agreed(); }));
  sim.run_for(1s);
  EXPECT_EQ(sim.received(1), 0U);
}

TEST(Agent, AReloadedListLeavesThePathOfAHostNameThatIsNotYetResolvedAgain) {
  AgentSim sim(17);
  sim.start(0);
  sim.start(1, /*knows_endpoint=*/false);  // so host 0 begins, and learns no address
  ASSERT_TRUE(sim.run_until(sim.now() + 10s, [&] { return sim.agreed(); }));
  pair::PeerConfig config = sim.pair(0).config();
  config.endpoints.clear();
  sim.agent(0).set_peers(sim.now(), pair::Mode::Strict, {config});
  EXPECT_TRUE(sim.pair(0).status(sim.now()).endpoint);
  sim.ping(0);
  sim.run_for(1s);
  EXPECT_EQ(sim.received(1), 1U);

  config.has_endpoint = false;  // none is configured any more, so the peer has to begin
  sim.agent(0).set_peers(sim.now(), pair::Mode::Strict, {config});
  EXPECT_FALSE(sim.pair(0).status(sim.now()).endpoint);
}

TEST(Agent, AKeyThatBecameTooOldInASleepServesNoHandshakeAfterIt) {
  AgentSim sim(18);
  bring_up(sim);
  ByteVector initiation;
  sim.interceptor = [&](std::size_t from, std::uint64_t, ByteView datagram) -> std::optional<Fate> {
    if (from != 0 || !is_wireguard(datagram) || datagram[0] != std::byte{1}) return std::nullopt;
    initiation = to_vector(datagram);
    return Fate::Drop;
  };
  auto& device = const_cast<wireguard::Device&>(sim.agent(0).wireguard());
  device.start_handshake(sim.now(), *sim.pair(0).wireguard_id(), wireguard::Running::Cancel);
  sim.ping(0);  // sends what waits
  ASSERT_FALSE(initiation.empty());
  // The datagram is the first thing that the woken host reads: no timer has run yet.
  sim.suspend(600s);
  const std::uint64_t no_key = sim.agent(1).wireguard().counters().no_key;
  sim.inject(1, sim.pair(1).status(sim.now()).endpoint.value(), initiation);
  sim.interceptor = nullptr;
  sim.run_for(1ms);
  EXPECT_EQ(sim.agent(1).wireguard().counters().no_key, no_key + 1);
}

TEST(Agent, APathNeverLeadsIntoTheTunnel) {
  AgentSim sim(19);
  bring_up(sim);
  std::optional<ByteVector> taken;
  sim.interceptor = [&](std::size_t from, std::uint64_t, ByteView datagram) -> std::optional<Fate> {
    if (from != 0) return std::nullopt;
    taken = to_vector(datagram);
    return Fate::Drop;
  };
  sim.ping(0);
  ASSERT_TRUE(taken);
  sim.interceptor = nullptr;
  // The peer sends it to our inner address, so it comes out of the tunnel with its own.
  const auto path = sim.pair(1).status(sim.now()).endpoint;
  sim.inject(1, *Endpoint::parse("100.64.0.1:51820"), *taken);
  sim.run_for(1s);
  EXPECT_EQ(sim.pair(1).status(sim.now()).endpoint, path);
  EXPECT_EQ(sim.agent(1).overlay_datagrams(), 1U);
}

TEST(Agent, ASilentPeerOfTwoAddressesIsAskedNoMoreOftenThanOneOfOne) {
  std::uint64_t asked[2] = {};
  for (const bool two : {false, true}) {
    AgentSim sim(20);
    sim.start(0);
    pair::PeerConfig config = sim.pair(0).config();
    if (two) config.endpoints.push_back(*Endpoint::parse("[2001:db8::2]:51820"));
    sim.agent(0).set_peers(sim.now(), pair::Mode::Strict, {config});
    sim.run_for(300s);
    sim.observer = [&](std::size_t, ByteView) { ++asked[two]; };
    sim.run_for(600s);
  }
  EXPECT_GE(asked[0], 100U);
  EXPECT_LE(asked[1], 2 * asked[0]);  // each new address is tried at once
}

TEST(Agent, PacketsThatWaitForAKeyDoNotHoldItsHandshakeUp) {
  for (const std::size_t host : {0U, 1U}) {
    SCOPED_TRACE(host);
    AgentSim sim(16);
    bring_up(sim);
    sim.run_for(20s);
    sim.crash(host);
    sim.run_for(500ms);
    sim.start(host);
    const std::uint64_t before = sim.received(1 - host);
    sim.ping(host);
    // Two round trips of the exchange, one and a half of the handshake; 5 ms a way.
    EXPECT_TRUE(
        sim.run_until(sim.now() + 50ms, [&] { return sim.received(1 - host) == before + 1; }));
  }
}

}  // namespace
}  // namespace trellis::agent
