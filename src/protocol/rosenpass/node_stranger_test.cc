#include "protocol/rosenpass/admission.h"
#include "testing/rosenpass/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace trellis::rosenpass {
namespace {

TEST(Strangers, IsNotHeldUpByReplaysFromForgedSources) {
  std::vector<Duration> times;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed, .faults = {.delay = 10ms}, .first_is_larger = seed % 2 == 0});
    std::vector<testing::SimDatagram> hellos;
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      if (is(MessageType::InitHello, datagram.bytes)) hellos.push_back(datagram);
      return true;
    });
    world.introduce_both();
    ASSERT_TRUE(world.net.run_until(3s, [&] { return world.agree(); }));
    // Both restart; a hundred replays a second, to each of them, from anywhere.
    world.restart_first();
    world.restart_second();
    testing::SeededRandom random(seed);
    for (int i = 0; i < 1200; ++i) {
      testing::SimDatagram replay = hellos[random.below(hellos.size())];
      replay.from = Endpoint{IpAddress::v4(random.bytes<4>()), 1};
      world.net.inject(replay, i * 10ms);
    }
    world.net.run_for(2s);
    const TimePoint start = world.net.now();
    world.introduce_both();
    ASSERT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));
    times.push_back(world.net.now() - start);
    world.net.run_for(3s);
    ASSERT_TRUE(world.agree());
  }
  std::sort(times.begin(), times.end());
  EXPECT_LT(times[times.size() / 2], 100ms);
}

TEST(Strangers, SpendsATenthOfACoreOnStrangers) {
  World world;
  ByteVector hello;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (is(MessageType::InitHello, datagram.bytes)) hello = datagram.bytes;
    return false;
  });
  world.introduce_first();
  world.net.run_for(10ms);
  ASSERT_FALSE(hello.empty());
  End& second = world.second();
  std::uint64_t answers = 0;
  const TimePoint start = world.net.now();
  for (int i = 0; i < 10'000; ++i) {  // a thousand a second
    second.handle_datagram(start + i * 1ms, kStranger, hello);
    while (const auto answer = second.poll_transmit()) {
      if (is(MessageType::RespHello, answer->bytes)) ++answers;
    }
  }
  const std::uint64_t opened =
      10'000 - second.dropped(Drop::StrangersBusy) - second.dropped(Drop::CookieAsked);
  const Duration work = opened * kCostOfOpening + answers * kCostOfAnswering;
  EXPECT_LE(work, 1s + kStrangersBurst + kCostOfAnswering);
  EXPECT_GE(work, 600ms);
  EXPECT_GT(answers, 50U) << "a peer whose path we do not know still has a chance";
  EXPECT_GT(second.dropped(Drop::PeerBusy), 0U);

  // The live path of the same peer is not touched by all that.
  second.node().set_path(start + 10s, second.peer, kFirst);
  while (second.poll_transmit()) {
  }
  second.handle_datagram(start + 10s, kFirst, hello);
  EXPECT_TRUE(second.poll_transmit());
}

TEST(Strangers, DropsWhatItsPeerCannotHaveSent) {
  World world;
  std::map<MessageType, ByteVector> messages;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    messages.try_emplace(static_cast<MessageType>(datagram.bytes[0]), datagram.bytes);
    return true;
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));

  const auto changed = [&](MessageType type, std::size_t at, ByteView receiver_key) {
    ByteVector datagram = messages.at(type);
    datagram[at] ^= std::byte{1};
    if (receiver_key.empty()) return datagram;
    const std::size_t before_mac = datagram.size() - kTrailerSize;
    const auto mac =
        message_mac(StaticPublicKey(receiver_key).mac_key, ByteView(datagram).first(before_mac));
    std::copy(mac.begin(), mac.end(), datagram.begin() + static_cast<std::ptrdiff_t>(before_mac));
    return datagram;
  };
  const ByteView key = world.keys().second.public_key;
  End& second = world.second();
  TimePoint now = world.net.now();
  const std::size_t hello_size = messages.at(MessageType::InitHello).size();
  for (std::size_t i = 4; i < hello_size - kTrailerSize; i += 7) {  // bytes 1 to 3 are free
    now += 100ms;
    second.handle_datagram(now, kStranger, changed(MessageType::InitHello, i, {}));
    second.handle_datagram(now, kStranger, changed(MessageType::InitHello, i, key));
    ASSERT_FALSE(second.poll_transmit()) << i;
  }
  EXPECT_EQ(second.dropped(Drop::BadMac), (hello_size - kTrailerSize - 4 + 6) / 7);
  EXPECT_GT(second.dropped(Drop::BadHello), 0U);
  EXPECT_GT(second.dropped(Drop::BadAuth), 0U);
  for (std::size_t i = 4; i < Layout::init_conf_size() - kTrailerSize; ++i) {
    second.handle_datagram(now, kStranger, changed(MessageType::InitConf, i, key));
    ASSERT_FALSE(second.poll_transmit()) << i;
  }
  EXPECT_EQ(second.history.size(), 1U);
  EXPECT_GT(second.dropped(Drop::BadBiscuit), 100U);
  // A late answer to an exchange that is over.
  End& first = world.first();
  first.handle_datagram(now, kSecond, messages.at(MessageType::RespHello));
  first.handle_datagram(now, kSecond, messages.at(MessageType::EmptyData));
  EXPECT_EQ(first.dropped(Drop::UnknownSession), 2U);
  EXPECT_FALSE(first.poll_transmit());
}

TEST(Strangers, TakesAnInitConfThatDiffersOnlyInItsCookieForARepeat) {
  World world;
  ByteVector conf;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (is(MessageType::InitConf, datagram.bytes)) conf = datagram.bytes;
    return true;
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));
  conf.back() ^= std::byte{1};
  world.second().handle_datagram(world.net.now(), kStranger, conf);
  const auto answer = world.second().poll_transmit();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->to, kStranger) << "to where it came from";
  EXPECT_EQ(world.second().history.size(), 1U);
}

TEST(Strangers, GoesOnWaitingWhenAnAnswerIsForged) {
  World world;
  std::optional<testing::SimDatagram> answer;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    const bool first_answer = is(MessageType::RespHello, datagram.bytes) && !answer;
    if (first_answer) answer = datagram;
    return !first_answer;
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(100ms, [&] { return answer.has_value(); }));
  const MacKey mac_key = StaticPublicKey(world.keys().first.public_key).mac_key;
  const std::size_t before_mac = answer->bytes.size() - kTrailerSize;
  for (const std::size_t at : {4U, 20U, 900U, 1600U}) {
    ByteVector forged = answer->bytes;
    forged[at] ^= std::byte{1};
    const auto mac = message_mac(mac_key, ByteView(forged).first(before_mac));
    std::copy(mac.begin(), mac.end(), forged.begin() + static_cast<std::ptrdiff_t>(before_mac));
    world.first().handle_datagram(world.net.now(), kSecond, forged);
  }
  EXPECT_EQ(world.first().dropped(Drop::BadAuth), 4U);
  EXPECT_EQ(world.first().status().state, ExchangeState::Hello);
  EXPECT_EQ(world.first().status().last_drop, Drop::BadAuth);
  world.net.inject(*answer);
  EXPECT_TRUE(world.net.run_until(100ms, [&] { return world.agree(); }));
}

TEST(Strangers, SaysWhenThePeerHasAnotherPsk) {
  World world;
  const auto psk = [](std::uint8_t value) { return ExchangePsk(Bytes<32>{std::byte{value}}); };
  const auto peer = world.first().node().add_peer(
      world.net.now(),
      {.public_key = world.keys().second.public_key, .psk = psk(1), .path = kSecond});
  const auto other = world.second().node().add_peer(
      world.net.now(), {.public_key = world.keys().first.public_key, .psk = psk(2)});
  ASSERT_TRUE(peer && other);
  world.net.run_for(5s);
  EXPECT_FALSE(world.first().current);
  EXPECT_EQ(world.second().node().status(*other).last_drop, Drop::BadAuth);
}

}  // namespace
}  // namespace trellis::rosenpass
