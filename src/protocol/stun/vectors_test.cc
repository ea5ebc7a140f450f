#include "protocol/stun/message.h"
#include "protocol/stun/message_writer.h"
#include "testing/vector_json.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace trellis::stun {
namespace {

using nlohmann::json;

std::map<std::string, json> messages(const char* file) {
  std::map<std::string, json> found;
  const json whole = testing::read_vector_json(file);
  for (const json& message : whole.at("messages")) found[message.at("name")] = message;
  return found;
}

const ByteView kRfcPassword = as_bytes("VOkJxbRl1RmTxUk/WvJxBt");

TEST(Rfc5769, RequestIsReadAndAuthentic) {
  const ByteVector datagram = testing::hex_of(messages("stun/rfc5769.json")["request"]["datagram"]);
  const auto message = parse(datagram);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind, Class::Request);
  EXPECT_EQ(to_hex(message->transaction), "b7e7a701bc34d686fa87dfae");
  EXPECT_EQ(message->software, "STUN test client");
  EXPECT_EQ(message->priority, 0x6e00'01ffU);
  EXPECT_EQ(message->controlled, 0x932f'f9b1'5126'3b36U);
  EXPECT_EQ(message->username, "evtj:h6vY");
  EXPECT_TRUE(message->has_fingerprint);
  EXPECT_TRUE(integrity_matches(*message, datagram, kRfcPassword));
}

TEST(Rfc5769, ResponsesAreReadAndAuthentic) {
  const std::map<std::string, std::string> mapped = {
      {"response over IPv4", "192.0.2.1:32853"},
      {"response over IPv6", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"}};
  auto known = messages("stun/rfc5769.json");
  for (const auto& [name, endpoint] : mapped) {
    SCOPED_TRACE(name);
    const ByteVector datagram = testing::hex_of(known[name]["datagram"]);
    const auto message = parse(datagram);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->kind, Class::Success);
    EXPECT_EQ(message->software, "test vector");
    EXPECT_EQ(message->mapped_address, Endpoint::parse(endpoint));
    EXPECT_TRUE(message->has_fingerprint);
    EXPECT_TRUE(integrity_matches(*message, datagram, kRfcPassword));
  }
}

TEST(StockNetBird, MessagesAreReadThoughAnAttributeFollowsTheirFingerprint) {
  std::size_t authentic = 0;
  for (const auto& [name, entry] : messages("netbird/stun.json")) {
    SCOPED_TRACE(name);
    const ByteVector datagram = testing::hex_of(entry["datagram"]);
    const auto message = parse(datagram);
    ASSERT_TRUE(message);
    EXPECT_EQ(to_hex(message->transaction), entry["transaction"].get<std::string>());
    if (!entry["password"].is_string()) continue;
    EXPECT_TRUE(message->has_fingerprint);
    const auto password = entry["password"].get<std::string>();
    EXPECT_TRUE(integrity_matches(*message, datagram, as_bytes(password)));
    ++authentic;
  }
  EXPECT_EQ(authentic, 11U);
}

TEST(StockNetBird, AttributesHaveTheValuesThatWereRecorded) {
  auto known = messages("netbird/stun.json");
  const ByteVector datagram = testing::hex_of(known["request_use_candidate"]["datagram"]);
  const auto message = parse(datagram);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->username, "jwkcrnimqqmurevk:KEDFnpJphdiOsdmv");
  EXPECT_TRUE(message->use_candidate);
  EXPECT_EQ(message->controlling, 0x095f'905c'e711'85c2U);
  EXPECT_EQ(message->priority, 0x64ff'ffffU);
  EXPECT_EQ(message->unknown_attribute_count, 0U);
}

/// Writes the attributes of a recorded message anew, in their order.
ByteVector written_again(const json& entry, const Message& message) {
  MessageWriter writer(message.kind, message.transaction);
  for (const json& attribute : entry.at("attributes")) {
    const auto name = attribute.at("name").get<std::string>();
    if (name == "USERNAME") writer.add_username(*message.username);
    if (name == "PRIORITY") writer.add_priority(*message.priority);
    if (name == "ICE-CONTROLLED") writer.add_controlled(*message.controlled);
    if (name == "ICE-CONTROLLING") writer.add_controlling(*message.controlling);
    if (name == "USE-CANDIDATE") writer.add_use_candidate();
    if (name == "XOR-MAPPED-ADDRESS") writer.add_mapped_address(*message.mapped_address);
  }
  return std::move(writer).finish(as_bytes(entry.at("password").get<std::string>()));
}

TEST(StockNetBird, MessagesThatItAcceptedAreWrittenToTheSameBytes) {
  std::size_t compared = 0;
  for (const auto& [name, entry] : messages("netbird/stun.json")) {
    if (!name.starts_with("our_")) continue;
    SCOPED_TRACE(name);
    const ByteVector datagram = testing::hex_of(entry["datagram"]);
    const auto message = parse(datagram);
    ASSERT_TRUE(message);
    EXPECT_EQ(to_hex(written_again(entry, *message)), to_hex(datagram));
    ++compared;
  }
  EXPECT_EQ(compared, 4U);
}

}  // namespace
}  // namespace trellis::stun
