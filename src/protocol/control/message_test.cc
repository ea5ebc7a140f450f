#include "protocol/control/message.h"

#include "base/hex.h"
#include "protocol/control/keys.pb.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/signal.pb.h"

#include <gtest/gtest.h>

namespace trellis::control {
namespace {

using wire::management::LoginRequest;
using wire::management::NetworkMap;
using wire::management::SyncResponse;

ByteVector hex(std::string_view text) {
  const auto bytes = from_hex(text);
  CHECK(bytes.has_value());
  return *bytes;
}

template <class T>
std::optional<MessageError> error_of(ByteView bytes, const MessageLimits& limits = kRequestLimits) {
  const auto message = parse_message<T>(bytes, limits);
  return message ? std::nullopt : std::optional(message.error());
}

TEST(Message, RefusesWhatIsNotProtobuf) {
  const struct {
    const char* name;
    const char* bytes;
  } cases[] = {
      {"tag cut", "80"},
      {"tag of eleven bytes", "8080808080808080808001"},
      {"field number zero", "0000"},
      {"field number too large", "808080801000"},
      {"value missing", "0a"},
      {"length beyond the end", "0a05616263"},
      {"length beyond all ends", "0affffffffffffffffff01"},
      {"varint cut", "d203ff"},
      {"fixed64 cut", "d90300"},
      {"fixed32 cut", "dd0300"},
      {"group", "0b0c"},
      {"end of a group", "0c"},
      {"wire type 7", "0f"},
      {"submessage is none", "1203616263"},
      {"text is not UTF-8", "0a02c328"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(error_of<LoginRequest>(hex(c.bytes)), MessageError::Malformed);
  }
  EXPECT_EQ(error_of<LoginRequest>({}), std::nullopt);
}

TEST(Message, SaysNothingOnStderrAboutBadText) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(error_of<LoginRequest>(hex("0a02c328")), MessageError::Malformed);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Message, RefusesMoreBytesThanTheLimit) {
  LoginRequest request;
  request.set_jwt(std::string(1000, 'x'));
  const ByteVector bytes = format_message(request);
  EXPECT_EQ(error_of<LoginRequest>(bytes, {.bytes_max = bytes.size()}), std::nullopt);
  EXPECT_EQ(error_of<LoginRequest>(bytes, {.bytes_max = bytes.size() - 1}), MessageError::TooLong);
}

TEST(Message, CountsTheFieldsOfSubmessagesToo) {
  SyncResponse response;
  for (int i = 0; i < 10; ++i) {
    auto& peer = *response.mutable_network_map()->add_remote_peers();
    peer.set_wg_key("k");
    peer.add_allowed_ips("a");
  }
  const ByteVector bytes = format_message(response);
  const std::size_t fields = 1 + 10 + 2 * 10;
  EXPECT_EQ(error_of<SyncResponse>(bytes, {.fields_max = fields}), std::nullopt);
  EXPECT_EQ(error_of<SyncResponse>(bytes, {.fields_max = fields - 1}), MessageError::TooMany);
}

TEST(Message, RefusesAFloodOfEmptySubmessages) {
  ByteVector flood;
  for (int i = 0; i < 30'000; ++i) append(flood, hex("1a00"));  // remote_peers
  EXPECT_EQ(error_of<NetworkMap>(flood), MessageError::TooMany);
}

TEST(Message, RefusesDepthBeyondTheLimit) {
  SyncResponse response;
  response.mutable_network_map()->mutable_peer_config()->mutable_ssh()->mutable_jwt()->set_issuer(
      "i");
  const ByteVector bytes = format_message(response);
  EXPECT_EQ(error_of<SyncResponse>(bytes, {.depth_max = 5}), std::nullopt);
  EXPECT_EQ(error_of<SyncResponse>(bytes, {.depth_max = 4}), MessageError::TooDeep);
}

TEST(Message, TakesUnknownFieldsAsTheyCome) {
  // Fields 900 of each wire type: varint, fixed64, bytes, fixed32.
  const ByteVector bytes = hex("a03801a1380102030405060708a238026162a53801020304");
  const auto message = parse_message<LoginRequest>(bytes);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(format_message(*message), bytes);
}

TEST(Message, HoldsAWholeMapOfTenThousandPeers) {
  SyncResponse response;
  for (int i = 0; i < 10'000; ++i) {
    auto& peer = *response.mutable_network_map()->add_remote_peers();
    peer.set_wg_key(std::string(44, 'k'));
    peer.add_allowed_ips("100.100.100.100/32");
    peer.add_allowed_ips("fd00:0000:0000:0000:0000::1/128");
    peer.set_fqdn("some-machine-1234.trellis.internal");
    peer.set_trellis_key_name(std::string(33, 'n'));
  }
  EXPECT_EQ(error_of<SyncResponse>(format_message(response), kMapLimits), std::nullopt);
}

TEST(Message, PutsOurFieldsAtTheNumbersThatTheWireHas) {
  wire::management::ServerKeyResponse key;
  key.set_connection_nonce("n");
  EXPECT_EQ(to_hex(format_message(key)), "c23e016e");  // 1000 << 3 | 2
  wire::signal::Body body;
  body.mutable_trellis()->add_candidates("c");
  EXPECT_EQ(to_hex(format_message(body)), "c23e030a0163");
  wire::keys::FetchPiece piece;
  piece.set_offset(1);
  piece.set_total(2);
  piece.set_piece("p");
  EXPECT_EQ(to_hex(format_message(piece)), "080110021a0170");
}

TEST(Message, WritesMapsInOrder) {
  wire::management::SshAuth forward;
  wire::management::SshAuth backward;
  for (int i = 0; i < 50; ++i) {
    (*forward.mutable_machine_users())[std::to_string(i)].add_indexes(1);
    (*backward.mutable_machine_users())[std::to_string(49 - i)].add_indexes(1);
  }
  EXPECT_EQ(format_message(forward), format_message(backward));
}

}  // namespace
}  // namespace trellis::control
