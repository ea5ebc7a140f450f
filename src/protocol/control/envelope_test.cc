#include "protocol/control/envelope.h"

#include "base/hex.h"
#include "crypto/x25519.h"
#include "protocol/control/key_text.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/signal.pb.h"
#include "testing/random.h"

#include <gtest/gtest.h>

namespace trellis::control {
namespace {

/// Two machines and the channels between them.
struct Ends {
  testing::SeededRandom random{7};
  crypto::PrivateKey alice = crypto::generate_private_key(random);
  crypto::PrivateKey bob = crypto::generate_private_key(random);
  BoxChannel to_bob = *BoxChannel::create(alice, crypto::public_key(bob));
  BoxChannel to_alice = *BoxChannel::create(bob, crypto::public_key(alice));
};

wire::management::LoginRequest a_login() {
  wire::management::LoginRequest login;
  login.set_setup_key("A2C8E62B-38F5-4553-B31E-DD66C696CEBB");
  login.mutable_trellis()->set_strict(true);
  return login;
}

TEST(Envelope, CarriesAMessageToTheOtherEnd) {
  Ends ends;
  const ByteVector wire = seal_message(ends.to_bob, a_login(), ends.random);
  const auto envelope = parse_envelope(wire);
  ASSERT_TRUE(envelope.has_value());
  EXPECT_EQ(envelope->sender, crypto::public_key(ends.alice));
  const auto login = open_message<wire::management::LoginRequest>(ends.to_alice, envelope->body);
  ASSERT_TRUE(login.has_value());
  EXPECT_EQ(login->SerializeAsString(), a_login().SerializeAsString());
}

TEST(Envelope, CarriesASignalWithBothAddresses) {
  Ends ends;
  wire::signal::Body body;
  body.set_type(wire::signal::Body::HEARTBEAT);
  const auto envelope = parse_signal_envelope(seal_signal_message(ends.to_bob, body, ends.random));
  ASSERT_TRUE(envelope.has_value());
  EXPECT_EQ(envelope->sender, crypto::public_key(ends.alice));
  EXPECT_EQ(envelope->receiver, crypto::public_key(ends.bob));
  const auto opened = open_message<wire::signal::Body>(ends.to_alice, envelope->body);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->type(), wire::signal::Body::HEARTBEAT);
}

TEST(Envelope, OpensForNobodyElseAndNotIfChanged) {
  Ends ends;
  const auto envelope = parse_envelope(seal_message(ends.to_bob, a_login(), ends.random));
  ASSERT_TRUE(envelope.has_value());
  const auto eve = crypto::generate_private_key(ends.random);
  const auto of_eve = BoxChannel::create(eve, crypto::public_key(ends.alice));
  ASSERT_TRUE(of_eve.has_value());
  const auto error = [&](const BoxChannel& channel, ByteView body) {
    return open_message<wire::management::LoginRequest>(channel, body).error();
  };
  EXPECT_EQ(error(*of_eve, envelope->body), MessageError::Unopenable);
  for (std::size_t at = 0; at < envelope->body.size(); ++at) {
    ByteVector changed = envelope->body;
    changed[at] ^= std::byte{1};
    EXPECT_EQ(error(ends.to_alice, changed), MessageError::Unopenable) << at;
    EXPECT_EQ(error(ends.to_alice, ByteView(envelope->body).first(at)), MessageError::Unopenable);
  }
}

TEST(Envelope, TellsABoxThatHoldsNonsenseFromOneThatDoesNotOpen) {
  Ends ends;
  const auto text = from_hex("0a05");
  const ByteVector sealed = ends.to_bob.seal(*text, ends.random);
  EXPECT_EQ(open_message<wire::management::LoginRequest>(ends.to_alice, sealed).error(),
            MessageError::Malformed);
}

TEST(Envelope, HoldsTheInnerMessageToItsOwnLimits) {
  Ends ends;
  const auto envelope = parse_envelope(seal_message(ends.to_bob, a_login(), ends.random));
  EXPECT_EQ(
      open_message<wire::management::LoginRequest>(ends.to_alice, envelope->body, {.bytes_max = 10})
          .error(),
      MessageError::TooLong);
}

TEST(Envelope, RefusesSendersThatAreNoKeys) {
  const std::string key = key_text(crypto::PublicKey{});
  for (const std::string& bad :
       {std::string(), key.substr(1), key + "=", "*" + key.substr(1), std::string(44, 'A')}) {
    SCOPED_TRACE(bad);
    wire::management::EncryptedMessage management;
    management.set_sender_key(bad);
    EXPECT_EQ(parse_envelope(format_message(management)).error(), MessageError::BadKey);
    wire::signal::EncryptedMessage signal;
    signal.set_sender(key);
    signal.set_receiver(bad);
    EXPECT_EQ(parse_signal_envelope(format_message(signal)).error(), MessageError::BadKey);
  }
}

TEST(BoxChannel, IsNotMadeWithAKeyOfSmallOrder) {
  testing::SeededRandom random(8);
  const auto own = crypto::generate_private_key(random);
  EXPECT_FALSE(BoxChannel::create(own, crypto::PublicKey{}).has_value());
  crypto::PublicKey one;
  one.bytes[0] = std::byte{1};
  EXPECT_FALSE(BoxChannel::create(own, one).has_value());
}

TEST(KeyText, IsStrictBase64OfThirtyTwoBytes) {
  crypto::PublicKey key;
  key.bytes.fill(std::byte{0xa5});
  const std::string text = key_text(key);
  EXPECT_EQ(parse_key_text(text), key);
  EXPECT_EQ(parse_key_text(text + "\n"), std::nullopt);
  EXPECT_EQ(parse_key_text(" " + text.substr(1)), std::nullopt);
  EXPECT_EQ(parse_key_text(""), std::nullopt);
}

TEST(KeyText, NamesOfRosenpassKeysHaveThirtyThreeBytes) {
  std::string field(33, '\x02');
  field[0] = 1;
  const auto name = read_key_name(field);
  ASSERT_TRUE(name.has_value());
  std::string digits;
  for (int i = 0; i < 32; ++i) digits += "02";
  EXPECT_EQ(key_name_text(*name), "1:" + digits);
  EXPECT_EQ(read_key_name(""), std::nullopt);
  EXPECT_EQ(read_key_name(field + "x"), std::nullopt);
  EXPECT_EQ(read_key_name(field.substr(1)), std::nullopt);
}

}  // namespace
}  // namespace trellis::control
