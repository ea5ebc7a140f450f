#include "protocol/rosenpass/cookie.h"

#include "protocol/rosenpass/constants.h"
#include "testing/random.h"
#include "testing/rosenpass/world.h"
#include "testing/vector_json.h"

#include <gtest/gtest.h>

namespace trellis::rosenpass {
namespace {

/// An InitHello from a stranger's address, and whom it was for.
ByteVector captured_hello(World& world) {
  ByteVector hello;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (is(MessageType::InitHello, datagram.bytes)) hello = datagram.bytes;
    return false;
  });
  world.introduce_first();
  world.net.run_for(10ms);
  CHECK(!hello.empty());
  return hello;
}

/// Sends the same InitHello from forged addresses, until there is nothing left for strangers.
void exhaust(End& end, TimePoint now, ByteView hello) {
  const std::uint64_t before = end.dropped(Drop::StrangersBusy) + end.dropped(Drop::CookieAsked);
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    const Endpoint from{
        IpAddress::v4({std::byte{10}, std::byte(i >> 16), std::byte(i >> 8), std::byte(i)}), 7};
    end.handle_datagram(now, from, hello);
    while (end.poll_transmit()) {
    }
  }
  ASSERT_GT(end.dropped(Drop::StrangersBusy) + end.dropped(Drop::CookieAsked), before + 9'000);
}

TEST(Cookie, IsMadeByTheFormulasOfThePaper) {
  const auto known = testing::read_vector_json("rosenpass/cookie_reply_derived.json");
  const auto handshake = testing::read_vector_json("rosenpass/v03_handshake.json");
  const ByteVector public_key = testing::read_vector_file("rosenpass/v03_peer_b.pk.bin");
  const CookieKey key = cookie_key(public_key);
  EXPECT_EQ(to_hex(key.expose()),
            known["cookie_key = H(lhash(cookie-key), spkr)"].get<std::string>());
  const CookieValue value = cookie_value(to_array<16>(testing::hex_of(known["cookie_secret"])),
                                         testing::hex_of(known["host_identification"]));
  EXPECT_EQ(to_hex(value), known["cookie_value"].get<std::string>());

  const ByteVector hello = testing::hex_of(handshake["messages"]["InitHello"]);
  EXPECT_EQ(to_hex(mac_of(hello)), known["associated_data = mac of InitHello"].get<std::string>());
  testing::ScriptedRandom random;
  random.push(testing::hex_of(known["nonce"]));
  const SessionId sidi{to_array<4>(testing::hex_of(handshake["sidi"]))};
  const CookieReply reply = seal_cookie(key, value, sidi, mac_of(hello), random);
  testing::SeededRandom noise(1);
  const crypto::Suite& suite = crypto::suite_rosenpass_156();
  const ByteVector datagram = Layout(suite).write(reply, noise);
  EXPECT_EQ(datagram.size(), hello.size());
  EXPECT_EQ(to_hex(ByteView(datagram).first(64)),
            known["cookie_reply_first_64_bytes"].get<std::string>());

  ByteVector again = hello;
  put_cookie(again, value);
  EXPECT_EQ(to_hex(ByteView(again).last(16)),
            known["retransmitted_InitHello_cookie_field"].get<std::string>());
  EXPECT_TRUE(bears_cookie(again, value));
  EXPECT_FALSE(bears_cookie(hello, value));

  const auto message = Layout(suite).parse(datagram);
  ASSERT_TRUE(message);
  const auto& read = std::get<CookieReply>(*message);
  EXPECT_EQ(open_cookie(key, read, mac_of(hello)), value);
  EXPECT_FALSE(open_cookie(key, read, Bytes<16>{})) << "the answer to another message";
}

TEST(Cookie, IsOfOneAddressAndOfTwoEpochs) {
  CookieSecrets secrets;
  testing::SeededRandom random(1);
  const TimePoint start{};
  ByteVector datagram(100);
  EXPECT_FALSE(secrets.verifies(start, kFirst, datagram)) << "there is no secret yet";
  put_cookie(datagram, secrets.value_for(start, kFirst, random));
  EXPECT_TRUE(secrets.verifies(start, kFirst, datagram));
  EXPECT_FALSE(secrets.verifies(start, kSecond, datagram));
  Endpoint other_port = kFirst;
  ++other_port.port;
  EXPECT_FALSE(secrets.verifies(start, other_port, datagram));
  EXPECT_TRUE(secrets.verifies(start + 2 * kCookieEpoch - 1ns, kFirst, datagram));
  EXPECT_FALSE(secrets.verifies(start + 2 * kCookieEpoch, kFirst, datagram));
}

TEST(Cookie, LetsAPeerOfUnknownAddressThroughAFlood) {
  World world;
  const ByteVector hello = captured_hello(world);
  world.net.set_filter({});
  End& second = world.second();
  // A flood that goes on; the first end's own InitHello fares as it may.
  for (int i = 0; i < 60; ++i) {
    exhaust(second, world.net.now(), hello);
    world.net.run_for(50ms);
    if (world.agree()) break;
  }
  EXPECT_TRUE(world.agree());
  EXPECT_GT(second.dropped(Drop::CookieAsked), 0U);
}

TEST(Cookie, IsBroughtByWhoIsAskedAndSpentFromAnotherBudget) {
  World world;
  const ByteVector hello = captured_hello(world);
  End& second = world.second();
  TimePoint now = world.net.now();
  exhaust(second, now, hello);
  now += 1ms;  // too short to earn enough for a stranger, enough to ask for a cookie
  second.handle_datagram(now, kFirst, hello);
  auto asked = second.poll_transmit();
  ASSERT_TRUE(asked);
  EXPECT_TRUE(is(MessageType::CookieReply, asked->bytes));
  EXPECT_EQ(asked->bytes.size(), hello.size()) << "nothing is gained by having it sent elsewhere";

  End& first = world.first();
  while (first.poll_transmit()) {
  }
  first.handle_datagram(now, kSecond, asked->bytes);
  const auto brought = first.poll_transmit();
  ASSERT_TRUE(brought) << "at once";
  EXPECT_TRUE(std::equal(hello.begin(), hello.end() - 16, brought->bytes.begin()));
  EXPECT_FALSE(std::equal(hello.end() - 16, hello.end(), brought->bytes.end() - 16));
  first.handle_datagram(now, kSecond, asked->bytes);
  EXPECT_FALSE(first.poll_transmit()) << "not for each copy";
  EXPECT_EQ(first.dropped(Drop::BadCookie), 1U);

  second.handle_datagram(now, kStranger, brought->bytes);
  const auto elsewhere = second.poll_transmit();
  EXPECT_TRUE(!elsewhere || is(MessageType::CookieReply, elsewhere->bytes))
      << "it is worth nothing at another address";
  second.handle_datagram(now, kFirst, brought->bytes);
  const auto answer = second.poll_transmit();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(is(MessageType::RespHello, answer->bytes));
}

TEST(Cookie, IsNotTakenFromWhoDidNotSeeOurMessage) {
  World world;
  const ByteVector hello = captured_hello(world);
  End& first = world.first();
  const TimePoint now = world.net.now();
  testing::SeededRandom random(3);
  SessionId sidi;
  std::copy_n(hello.begin() + 4, 4, sidi.bytes.begin());
  const CookieKey key = cookie_key(world.keys().second.public_key);
  const Layout& layout = first.node().layout();
  const auto give = [&](SessionId sid, const Bytes<16>& mac) {
    first.handle_datagram(now, kSecond,
                          layout.write(seal_cookie(key, {}, sid, mac, random), random));
    return first.poll_transmit().has_value();
  };
  EXPECT_FALSE(give(sidi, Bytes<16>{}));
  EXPECT_EQ(first.dropped(Drop::BadCookie), 1U);
  EXPECT_FALSE(give(SessionId{}, mac_of(hello)));
  EXPECT_EQ(first.dropped(Drop::UnknownSession), 1U);
  EXPECT_TRUE(give(sidi, mac_of(hello)));
}

TEST(Cookie, IsNotAskedForByANodeWhosePeersWouldNotUnderstand) {
  World world;
  const ByteVector hello = captured_hello(world);
  End& second = world.second();
  second.node().remove_peer(second.peer);
  second.add_peer(world.net.now(), std::nullopt, PeerKind::Stock);
  exhaust(second, world.net.now(), hello);
  EXPECT_EQ(second.dropped(Drop::CookieAsked), 0U);
}

}  // namespace
}  // namespace trellis::rosenpass
