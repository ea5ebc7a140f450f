// Known answers of other implementations: tests/vectors/wireguard.

#include "base/hex.h"
#include "crypto/hash.h"
#include "protocol/wireguard/mac.h"
#include "protocol/wireguard/noise.h"
#include "protocol/wireguard/session.h"
#include "testing/random.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace trellis::wireguard {
namespace {

using nlohmann::json;

json load(const std::string& name) {
  std::ifstream file(std::string(TRELLIS_TEST_VECTORS "/wireguard/") + name);
  EXPECT_TRUE(file.good()) << name;
  return json::parse(file);
}

ByteVector hex(const json& value) { return *from_hex(value.get<std::string>()); }
Bytes<32> hex32(const json& value) { return *array_from_hex<32>(value.get<std::string>()); }

template <WireLayout T>
T read(const json& value) {
  const ByteVector bytes = hex(value);
  EXPECT_EQ(bytes.size(), sizeof(T));
  return Reader(bytes).read<T>();
}

/// A text with the room around it that a packet cipher wants.
struct Roomy {
  explicit Roomy(ByteView bytes) : storage(bytes.size() + 256) {
    view = MutableByteView(storage).subspan(128, bytes.size());
    std::copy(bytes.begin(), bytes.end(), view.begin());
  }
  ByteVector storage;
  MutableByteView view;
};

void expect_datagrams(Session& sender, Session& receiver, const json& datagrams) {
  for (const json& expected : datagrams) {
    Roomy text(hex(expected["text"]));
    const auto sealed = sender.seal(text.view);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(to_hex(*sealed), expected["datagram"].get<std::string>());

    Roomy datagram(hex(expected["datagram"]));
    const auto message = parse(datagram.view);
    ASSERT_TRUE(message);
    const auto opened = receiver.open(std::get<DataMessage>(*message), datagram.view);
    ASSERT_TRUE(opened);
    EXPECT_EQ(to_hex(opened->text), expected["text"].get<std::string>());
  }
}

void expect_handshake(const json& vector) {
  const auto initiator = Identity::of(crypto::PrivateKey(hex32(vector["initiator_private"])));
  const auto responder = Identity::of(crypto::PrivateKey(hex32(vector["responder_private"])));
  const auto to_responder = Remote::of(initiator, responder.public_key);
  const auto to_initiator = Remote::of(responder, initiator.public_key);
  const crypto::PresharedKey psk(hex32(vector["preshared_key"]));
  std::vector<LiveKey> keys;
  keys.push_back({KeyId{3}, crypto::PresharedKey(Bytes<32>{std::byte{9}})});
  keys.push_back({KeyId{4}, psk.clone()});
  const Tai64n timestamp{*array_from_hex<12>(vector["timestamp"].get<std::string>())};
  const SessionIndex local{vector["initiator_index"].get<std::uint32_t>()};
  const SessionIndex remote{vector["responder_index"].get<std::uint32_t>()};

  testing::ScriptedRandom random;
  random.push(hex32(vector["initiator_ephemeral"]));
  auto initiated = initiate(initiator, to_responder, local, timestamp, random);
  ASSERT_TRUE(initiated);
  CookieJar(responder.public_key).add_macs(TimePoint{}, initiated->message);
  EXPECT_EQ(to_hex(bytes_of(initiated->message)), vector["initiation"].get<std::string>());

  const auto initiation = read<HandshakeInitiation>(vector["initiation"]);
  EXPECT_TRUE(CookieChecker(responder.public_key, random).mac1_fits(initiation));
  auto opened = open_initiation(responder, initiation);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->static_key, initiator.public_key);
  const auto received = finish_initiation(*std::move(opened), to_initiator);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->timestamp, timestamp);
  EXPECT_EQ(received->remote, local);

  random.push(hex32(vector["responder_ephemeral"]));
  auto responded = respond(*received, psk, remote, random);
  ASSERT_TRUE(responded);
  CookieJar(initiator.public_key).add_macs(TimePoint{}, responded->message);
  EXPECT_EQ(to_hex(bytes_of(responded->message)), vector["response"].get<std::string>());

  const auto response = read<HandshakeResponse>(vector["response"]);
  auto consumed = consume_response(initiated->state, initiator, response, keys);
  ASSERT_TRUE(consumed);
  EXPECT_EQ(consumed->preshared_key, KeyId{4});

  Session a(std::move(consumed->keys), KeyId{4}, TimePoint{});
  Session b(std::move(responded->keys), KeyId{4}, TimePoint{});
  expect_datagrams(a, b, vector["initiator_sends"]);
  expect_datagrams(b, a, vector["responder_sends"]);
}

TEST(Vectors, HandshakesAndDataAreThoseOfAnotherImplementation) {
  const json vectors = load("handshake.json");
  ASSERT_EQ(vectors["handshakes"].size(), 2U);
  for (const json& vector : vectors["handshakes"]) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    expect_handshake(vector);
  }
}

TEST(Vectors, KeyDerivationIsThatOfAnotherImplementation) {
  const json vectors = load("handshake.json");
  ASSERT_EQ(vectors["kdf"].size(), 2U);
  for (const json& vector : vectors["kdf"]) {
    const crypto::ChainingKey key(hex32(vector["chaining_key"]));
    const auto derived = crypto::kdf3(key, hex(vector["input"]));
    EXPECT_EQ(to_hex(derived.first.expose()), vector["outputs"][0].get<std::string>());
    EXPECT_EQ(to_hex(derived.second.expose()), vector["outputs"][1].get<std::string>());
    EXPECT_EQ(to_hex(derived.third.expose()), vector["outputs"][2].get<std::string>());
  }
}

TEST(Vectors, CookiesAreThoseOfAnotherImplementation) {
  const json vectors = load("cookie.json");
  ASSERT_EQ(vectors["cookies"].size(), 2U);
  for (const json& vector : vectors["cookies"]) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const crypto::PublicKey checker_key{hex32(vector["checker_public"])};
    const auto from = *Endpoint::parse(vector["address"].get<std::string>());
    auto initiation = read<HandshakeInitiation>(vector["initiation"]);
    const TimePoint now{5s};

    testing::ScriptedRandom script;
    script.push(hex(vector["secret"]));
    script.push(hex(vector["nonce"]));
    CookieChecker checker(checker_key, script);
    const CookieReply reply =
        checker.reply(now, from, vector["sender"].get<std::uint32_t>(), initiation.mac1);
    EXPECT_EQ(to_hex(bytes_of(reply)), vector["reply"].get<std::string>());

    CookieJar jar(checker_key);
    jar.add_macs(now, initiation);
    EXPECT_EQ(initiation.mac2, Mac{});
    ASSERT_TRUE(jar.consume(now, reply));
    jar.add_macs(now, initiation);
    EXPECT_EQ(to_hex(initiation.mac2), vector["initiation_mac2"].get<std::string>());
    EXPECT_TRUE(checker.mac2_fits(now, from, initiation));
  }
}

}  // namespace
}  // namespace trellis::wireguard
