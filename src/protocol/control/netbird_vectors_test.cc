#include "protocol/control/envelope.h"
#include "protocol/control/key_text.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/message_fields_test.h"
#include "protocol/control/signal.pb.h"
#include "testing/random.h"
#include "testing/vector_json.h"

#include <gtest/gtest.h>

#include <memory>

namespace trellis::control {
namespace {

using nlohmann::json;

/// The messages of a file; there is at least one.
json messages(const char* file) {
  const json found = testing::read_vector_json(file).at("messages");
  CHECK(!found.empty());
  return found;
}

crypto::PublicKey key_of(const json& entry) {
  const auto key = parse_key_text(entry.get<std::string>());
  CHECK(key.has_value());
  return *key;
}

/// What a message of management has in its box: of the method, and from which side it comes.
std::unique_ptr<Message> inner_of(const json& entry) {
  const auto method = entry.at("method").get<std::string>();
  const auto name = entry.at("name").get<std::string>();
  if (method == "Login" && name.find("response") == std::string::npos) {
    return std::make_unique<wire::management::LoginRequest>();
  }
  if (method == "Login") return std::make_unique<wire::management::LoginResponse>();
  if (method == "Sync" && name.find("request") != std::string::npos) {
    return std::make_unique<wire::management::SyncRequest>();
  }
  if (method == "Sync") return std::make_unique<wire::management::SyncResponse>();
  if (method == "SyncMeta") return std::make_unique<wire::management::SyncMetaRequest>();
  if (method == "Logout") return std::make_unique<wire::management::Empty>();
  if (method == "Job") return std::make_unique<wire::management::JobRequest>();
  CHECK(method == "Send");
  return std::make_unique<wire::signal::Body>();
}

ByteVector plain_of(const json& entry) {
  if (entry.contains("plain")) return testing::hex_of(entry.at("plain"));
  return testing::read_vector_file("netbird/signal_offer_rosenpass.body.bin");
}

/// One channel for each private key that the file has: both ends of a box have the same key.
std::vector<BoxChannel> channels_of(const json& entry) {
  std::vector<BoxChannel> result;
  for (const auto& [own, peer] : {std::pair("sender_private", "receiver_public"),
                                  std::pair("receiver_private", "sender_public")}) {
    if (!entry.contains(own)) continue;
    const auto own_key = array_from_base64<32>(entry.at(own).get<std::string>());
    CHECK(own_key.has_value());
    auto channel = BoxChannel::create(crypto::PrivateKey(*own_key), key_of(entry.at(peer)));
    CHECK(channel.has_value());
    result.push_back(*std::move(channel));
  }
  CHECK(!result.empty());
  return result;
}

/// Nonce and box, as far as the file has it whole.
void expect_box(const json& entry, ByteView sealed) {
  const std::size_t nonce = 24;
  EXPECT_EQ(to_hex(sealed.first(nonce)), entry.at("nonce").get<std::string>());
  const ByteView box = sealed.subspan(nonce);
  if (entry.contains("box")) {
    EXPECT_EQ(to_hex(box), entry.at("box").get<std::string>());
  } else {
    EXPECT_EQ(box.size(), entry.at("box_length").get<std::size_t>());
    EXPECT_EQ(to_hex(crypto::sha256(box)), entry.at("box_sha256").get<std::string>());
  }
}

class Vectors : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(NetBird, Vectors,
                         ::testing::Values("netbird/management.json", "netbird/signal.json"));

TEST_P(Vectors, DecodeToTheirFieldsAndEncodeToTheSameBytes) {
  for (const json& entry : messages(GetParam())) {
    SCOPED_TRACE(entry.at("name").get<std::string>());
    const ByteVector plain = plain_of(entry);
    const std::unique_ptr<Message> message = inner_of(entry);
    ASSERT_TRUE(parse_into(plain, *message, kSignalLimits).has_value());
    EXPECT_EQ(fields_of(*message).dump(1), entry.at("fields").dump(1));
    EXPECT_TRUE(format_message(*message) == plain);
  }
}

TEST_P(Vectors, SealToTheSameBoxAndOpenWithTheKeysOfEitherSide) {
  for (const json& entry : messages(GetParam())) {
    SCOPED_TRACE(entry.at("name").get<std::string>());
    const ByteVector plain = plain_of(entry);
    for (const BoxChannel& channel : channels_of(entry)) {
      testing::ScriptedRandom random;
      random.push(testing::hex_of(entry.at("nonce")));
      const ByteVector sealed = channel.seal(plain, random);
      expect_box(entry, sealed);
      const auto opened = channel.open(sealed);
      ASSERT_TRUE(opened.has_value());
      EXPECT_TRUE(*opened == plain);
      const std::unique_ptr<Message> message = inner_of(entry);
      EXPECT_TRUE(open_into(channel, sealed, *message, kSignalLimits).has_value());
    }
  }
}

TEST(NetBird, EnvelopesOfManagementReadAndWriteTheSameBytes) {
  std::size_t seen = 0;
  for (const json& entry : messages("netbird/management.json")) {
    SCOPED_TRACE(entry.at("name").get<std::string>());
    if (entry.at("encrypted_message").is_null()) continue;
    ++seen;
    const ByteVector whole = testing::hex_of(entry.at("encrypted_message"));
    const auto envelope = parse_envelope(whole);
    ASSERT_TRUE(envelope.has_value());
    EXPECT_EQ(envelope->sender, key_of(entry.at("sender_public")));
    expect_box(entry, envelope->body);
    EXPECT_EQ(to_hex(format_envelope(*envelope)), to_hex(whole));
  }
  EXPECT_GT(seen, 20U);
}

TEST(NetBird, EnvelopesOfSignalReadAndWriteTheSameBytes) {
  std::size_t seen = 0;
  for (const json& entry : messages("netbird/signal.json")) {
    SCOPED_TRACE(entry.at("name").get<std::string>());
    if (!entry.contains("encrypted_message")) continue;
    ++seen;
    const ByteVector whole = testing::hex_of(entry.at("encrypted_message"));
    const auto envelope = parse_signal_envelope(whole);
    ASSERT_TRUE(envelope.has_value());
    EXPECT_EQ(envelope->sender, key_of(entry.at("sender_public")));
    EXPECT_EQ(envelope->receiver, key_of(entry.at("receiver_public")));
    expect_box(entry, envelope->body);
    EXPECT_EQ(to_hex(format_signal_envelope(*envelope)), to_hex(whole));
  }
  EXPECT_GT(seen, 10U);
}

TEST(NetBird, AnOfferWithARosenpassKeyPassesTheLimitsInItsEnvelope) {
  for (const json& entry : messages("netbird/signal.json")) {
    if (entry.at("name") != "offer_rosenpass") continue;
    const BoxChannel channel = std::move(channels_of(entry).front());
    testing::ScriptedRandom random;
    random.push(testing::hex_of(entry.at("nonce")));
    const ByteVector whole = format_signal_envelope(
        {channel.peer(), channel.own(), channel.seal(plain_of(entry), random)});
    EXPECT_EQ(whole.size(), entry.at("whole_message_length").get<std::size_t>());
    const auto envelope = parse_signal_envelope(whole);
    ASSERT_TRUE(envelope.has_value());
    const auto body = open_message<wire::signal::Body>(channel, envelope->body, kSignalLimits);
    ASSERT_TRUE(body.has_value());
    EXPECT_EQ(body->rosenpass().public_key().size(), 524160U);
    return;
  }
  FAIL() << "the vector is missing";
}

}  // namespace
}  // namespace trellis::control
