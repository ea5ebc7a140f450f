#include "protocol/grpc/client_connection.h"
#include "protocol/grpc/frames_test.h"

#include <gtest/gtest.h>

// What a server, or what stands in front of it, may answer wrongly.

namespace trellis::grpc {
namespace {

/// A client with one call, and a server that sends what it likes.
class Victim {
 public:
  Victim() : client(now, {.authority = "server.test"}) {
    call = client.start(now, "/test.Service/Method");
    client.send_message(call, as_bytes("question"));
    drain();
    send(frames::frame(frames::kSettings, frames::kNone, 0));
  }

  void send(ByteView bytes) {
    client.receive(now, bytes);
    drain();
  }
  void drain() {
    while (!client.poll_transmit().empty()) {
    }
    while (auto event = client.poll_event()) events.push_back(*std::move(event));
  }
  std::optional<Status> end() const {
    for (const ClientEvent& event : events) {
      if (const auto* ended = std::get_if<CallEnded>(&event)) return ended->status;
    }
    return std::nullopt;
  }

  TimePoint now{1h};
  ClientConnection client;
  CallId call{};
  std::vector<ClientEvent> events;
};

const Headers kHeaders{{":status", "200"}, {"content-type", "application/grpc"}};

TEST(ClientFaults, MakesAStatusOfEveryEnd) {
  const auto whole = [](const Headers& headers) { return frames::headers(1, headers, true); };
  const auto joined = [](std::initializer_list<ByteVector> parts) {
    ByteVector bytes;
    for (const ByteVector& part : parts) append(bytes, part);
    return bytes;
  };
  const ByteVector first = frames::headers(1, kHeaders);
  struct Case {
    const char* name;
    ByteVector bytes;
    StatusCode code;
  };
  const Case cases[] = {
      {"503 of a proxy", whole({{":status", "503"}}), StatusCode::Unavailable},
      {"502 with a page", frames::headers(1, {{":status", "502"}, {"content-type", "text/html"}}),
       StatusCode::Unavailable},
      {"404", whole({{":status", "404"}}), StatusCode::Unimplemented},
      {"401", whole({{":status", "401"}}), StatusCode::Unauthenticated},
      {"418", whole({{":status", "418"}}), StatusCode::Unknown},
      {"a page", frames::headers(1, {{":status", "200"}, {"content-type", "text/html"}}),
       StatusCode::Unknown},
      {"no status", whole(kHeaders), StatusCode::Internal},
      {"a status that is no number", joined({first, whole({{"grpc-status", "ok"}})}),
       StatusCode::Internal},
      {"a status that nobody knows", joined({first, whole({{"grpc-status", "77"}})}),
       StatusCode::Unknown},
      {"status and 500", whole({{":status", "500"}, {"grpc-status", "7"}}),
       StatusCode::PermissionDenied},
      {"data as the end", joined({first, frames::data(1, frames::message({}), true)}),
       StatusCode::Internal},
      {"cut short", joined({first, frames::data(1, ByteVector(3)), whole({{"grpc-status", "0"}})}),
       StatusCode::Internal},
      {"compressed", joined({first, frames::data(1, frames::message(as_bytes("zip"), 1))}),
       StatusCode::Unimplemented},
      {"compressed by name",
       frames::headers(
           1,
           {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-encoding", "gzip"}}),
       StatusCode::Internal},
      {"refused", frames::reset(1, 7), StatusCode::Unavailable},
      {"cancelled", frames::reset(1, 8), StatusCode::Cancelled},
      {"calm", frames::reset(1, 11), StatusCode::ResourceExhausted},
      {"security", frames::reset(1, 12), StatusCode::PermissionDenied},
      {"internal", frames::reset(1, 2), StatusCode::Internal},
      {"reset without an answer", frames::reset(1, 0), StatusCode::Internal},
      {"long trailers",
       joined({first, whole({{"grpc-status", "0"}, {"x", std::string(16'340, 'x')}})}),
       StatusCode::Internal},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Victim victim;
    victim.send(c.bytes);
    ASSERT_TRUE(victim.end());
    EXPECT_EQ(victim.end()->code, c.code) << victim.end()->message;
    EXPECT_EQ(victim.client.calls(), 0U);
    EXPECT_FALSE(victim.client.closed()) << victim.client.close_reason();
  }
}

TEST(ClientFaults, PassesOverInformationalHeaders) {
  Victim victim;
  victim.send(frames::headers(1, {{":status", "100"}}));
  victim.send(frames::headers(1, {{":status", "103"}, {"link", "x"}}));
  victim.send(frames::headers(1, kHeaders));
  victim.send(frames::headers(1, {{"grpc-status", "0"}}, true));
  ASSERT_EQ(victim.events.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<HeadersReceived>(victim.events[0]));
  EXPECT_TRUE(victim.end()->ok());
}

TEST(ClientFaults, ClosesOnWhatIsNotHttp2) {
  Victim victim;
  victim.send(as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n"));
  EXPECT_TRUE(victim.client.closed());
  EXPECT_EQ(victim.end()->code, StatusCode::Unavailable);
}

TEST(ClientFaults, ClosesOnDataBeforeHeaders) {
  Victim victim;
  victim.send(frames::data(1, frames::message({})));
  EXPECT_TRUE(victim.client.closed());
  EXPECT_EQ(victim.end()->code, StatusCode::Unavailable);
}

TEST(ClientFaults, KeepsTheReasonOfAServerThatSendsItAway) {
  Victim victim;
  ByteVector payload = frames::number32(1);
  append(payload, frames::number32(11));
  append(payload, as_bytes("too_many_pings"));
  victim.send(frames::frame(frames::kGoAway, frames::kNone, 0, payload));
  ASSERT_FALSE(victim.events.empty());
  const auto* away = std::get_if<GoingAway>(&victim.events[0]);
  ASSERT_NE(away, nullptr);
  EXPECT_EQ(away->error, 11U);
  EXPECT_EQ(away->reason, "too_many_pings");
  EXPECT_FALSE(victim.end()) << "the server may still answer the call";
  victim.client.close(victim.now, "end of file");
  victim.drain();
  EXPECT_EQ(victim.client.close_reason(), "too_many_pings");
  EXPECT_EQ(victim.end()->code, StatusCode::Unavailable);
}

TEST(ClientFaults, TakesNoPushedStreams) {
  Victim victim;
  victim.send(frames::frame(frames::kSettings, frames::kAck, 0));
  ByteVector payload = frames::number32(2);
  append(payload, frames::block({{":method", "GET"},
                                 {":scheme", "https"},
                                 {":path", "/x"},
                                 {":authority", "server.test"}}));
  victim.send(frames::frame(5, frames::kEndHeaders, 1, payload));
  EXPECT_TRUE(victim.client.closed());
}

}  // namespace
}  // namespace trellis::grpc
