#include "protocol/grpc/wire_test.h"

#include <gmock/gmock.h>

namespace trellis::grpc {
namespace {

using ::testing::ElementsAre;

constexpr std::string_view kMethod = "/test.Service/Method";

/// Begins a call and lets the server hear of it.
CallId begin(Wire& wire, std::optional<Duration> deadline = std::nullopt) {
  const CallId call = wire.client.start(wire.now(), kMethod, {}, deadline);
  wire.flush();
  EXPECT_EQ(wire.server_event<CallStarted>().call, call);
  return call;
}

TEST(Connection, CarriesAUnaryCall) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Wire wire(seed);
    wire.set_piece_max(seed % 2 == 0 ? 1 : 40);
    const CallId call = wire.client.start(wire.now(), kMethod, {{"x-word", "one"}});
    ASSERT_TRUE(wire.client.send_message(call, as_bytes("question")));
    wire.client.half_close(call);
    wire.flush();
    const auto started = wire.server_event<CallStarted>();
    EXPECT_EQ(started.call, call);
    EXPECT_EQ(started.method, kMethod);
    EXPECT_THAT(started.metadata, ElementsAre(MetadataEntry{"x-word", "one"}));
    EXPECT_FALSE(started.deadline);
    EXPECT_EQ(text_of(wire.server_event<MessageReceived>().message), "question");
    wire.server_event<HalfClosed>();

    wire.server.send_headers(call, {{"x-head", "two"}});
    ASSERT_TRUE(wire.server.send_message(call, as_bytes("answer")));
    wire.server.finish(call, {}, {{"x-tail", "three"}});
    wire.flush();
    EXPECT_THAT(wire.client_event<HeadersReceived>().metadata,
                ElementsAre(MetadataEntry{"x-head", "two"}));
    EXPECT_EQ(text_of(wire.client_event<MessageReceived>().message), "answer");
    const auto ended = wire.client_event<CallEnded>();
    EXPECT_TRUE(ended.status.ok());
    EXPECT_THAT(ended.trailers, ElementsAre(MetadataEntry{"x-tail", "three"}));
    EXPECT_TRUE(wire.quiet());
    EXPECT_EQ(wire.client.calls() + wire.server.calls(), 0U);
  }
}

TEST(Connection, CarriesMetadataOfAllKinds) {
  Wire wire;
  const std::string bytes("\0\xff,=\n", 5);
  const Metadata sent{
      {"key-bin", bytes}, {"key-bin", ""}, {"text", "  a ~ b\t\x01 "}, {"text", ""}};
  const Metadata expected{{"key-bin", bytes}, {"key-bin", ""}, {"text", "a ~ b\t?"}, {"text", ""}};
  const CallId call = wire.client.start(wire.now(), kMethod, sent);
  wire.flush();
  const auto got = wire.server_event<CallStarted>().metadata;
  EXPECT_EQ(got[0], expected[0]);
  EXPECT_EQ(got[1], expected[1]);
  EXPECT_EQ(got[2].value, "a ~ b??");
  EXPECT_EQ(find(got, "text"), "a ~ b??");
  EXPECT_EQ(find(got, "other"), std::nullopt);
  wire.server.finish(call, {StatusCode::NotFound, "100 % gr\xc3\xbcn\n"}, sent);
  wire.flush();
  const auto ended = wire.client_event<CallEnded>();
  EXPECT_EQ(ended.status, (Status{StatusCode::NotFound, "100 % gr\xc3\xbcn\n"}));
  EXPECT_EQ(ended.trailers, got);
}

TEST(Connection, CarriesStreamsBothWaysInOrder) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Wire wire(seed);
    const CallId call = begin(wire);
    wire.server.send_headers(call);
    wire.flush();
    wire.client_event<HeadersReceived>();
    testing::SeededRandom random(seed);
    for (std::uint8_t i = 0; i < 20; ++i) {
      const ByteVector up = pattern(random.below(40'000), i);
      const ByteVector down = pattern(random.below(70'000), i);
      ASSERT_TRUE(wire.client.send_message(call, up));
      ASSERT_TRUE(wire.server.send_message(call, down));
      if (i % 3 != 0) continue;
      wire.flush();
    }
    wire.flush();
    testing::SeededRandom again(seed);
    for (std::uint8_t i = 0; i < 20; ++i) {
      EXPECT_EQ(wire.server_event<MessageReceived>().message, pattern(again.below(40'000), i));
      EXPECT_EQ(wire.client_event<MessageReceived>().message, pattern(again.below(70'000), i));
    }
    wire.client.half_close(call);
    wire.flush();
    wire.server_event<HalfClosed>();
    wire.server.finish(call, {});
    wire.flush();
    EXPECT_TRUE(wire.client_event<CallEnded>().status.ok());
    EXPECT_TRUE(wire.quiet());
  }
}

TEST(Connection, CarriesAMebibyteEachWay) {
  Wire wire;
  const CallId call = begin(wire);
  const ByteVector big = pattern(1U << 20);
  ASSERT_TRUE(wire.client.send_message(call, big));
  ASSERT_TRUE(wire.server.send_message(call, big));
  wire.flush();
  EXPECT_EQ(wire.server_event<MessageReceived>().message, big);
  wire.client_event<HeadersReceived>();
  EXPECT_EQ(wire.client_event<MessageReceived>().message, big);
  EXPECT_EQ(wire.client.queued_bytes() + wire.server.queued_bytes(), 0U);
}

TEST(Connection, CarriesManyCallsAtOnce) {
  Wire wire(7);
  std::vector<CallId> calls;
  for (int i = 0; i < 100; ++i) {
    calls.push_back(wire.client.start(wire.now(), kMethod));
    ASSERT_TRUE(wire.client.send_message(calls.back(), pattern(3'000 + calls.size())));
    wire.client.half_close(calls.back());
  }
  std::size_t answered = 0;
  wire.on_server = [&](const ServerEvent& event) {
    const auto* message = std::get_if<MessageReceived>(&event);
    if (message == nullptr) return;
    EXPECT_TRUE(wire.server.send_message(message->call, message->message));
    wire.server.finish(message->call, {});
    ++answered;
  };
  wire.flush();
  EXPECT_EQ(answered, 100U);
  std::size_t ended = 0;
  for (const ClientEvent& event : wire.client_events) {
    if (const auto* end = std::get_if<CallEnded>(&event)) ended += end->status.ok() ? 1U : 0U;
  }
  EXPECT_EQ(ended, 100U);
  EXPECT_EQ(wire.client.calls() + wire.server.calls(), 0U);
}

TEST(Connection, MakesCallsBeyondTheLimitWaitForAPlace) {
  Wire wire(1, {.calls_max = 3});
  wire.flush();  // the client knows the limit
  std::vector<CallId> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(wire.client.start(wire.now(), kMethod));
  wire.flush();
  EXPECT_EQ(wire.server_events.size(), 3U);
  wire.server.finish(calls[0], {});
  wire.server.finish(calls[1], {});
  wire.flush();
  EXPECT_EQ(wire.server_events.size(), 5U);
}

TEST(Connection, FailsACallWithHeadersOnly) {
  Wire wire;
  const CallId call = begin(wire);
  wire.server.finish(call, {StatusCode::PermissionDenied, "no"}, {{"x-why", "because"}});
  wire.flush();
  const auto ended = wire.client_event<CallEnded>();
  EXPECT_EQ(ended.status, (Status{StatusCode::PermissionDenied, "no"}));
  EXPECT_THAT(ended.trailers, ElementsAre(MetadataEntry{"x-why", "because"}));
  EXPECT_TRUE(wire.quiet());
  EXPECT_EQ(wire.client.calls() + wire.server.calls(), 0U);
  EXPECT_FALSE(wire.client.send_message(call, as_bytes("x")));
  EXPECT_FALSE(wire.server.send_message(call, as_bytes("x")));
}

TEST(Connection, EndsACallAtBothEndsWhenItsDeadlineIsOver) {
  Wire wire;
  const CallId call = wire.client.start(wire.now(), kMethod, {}, 1'500ms);
  wire.flush();
  EXPECT_EQ(wire.server_event<CallStarted>().deadline, wire.now() + 1'500ms);
  wire.run_for(1'499ms);
  EXPECT_TRUE(wire.quiet());
  wire.run_for(1ms);
  EXPECT_EQ(wire.server_event<CallEnded>().status.code, StatusCode::DeadlineExceeded);
  EXPECT_EQ(wire.client_event<CallEnded>().status.code, StatusCode::DeadlineExceeded);
  EXPECT_TRUE(wire.quiet());
  EXPECT_EQ(wire.client.calls() + wire.server.calls(), 0U);
  EXPECT_FALSE(wire.server.send_message(call, as_bytes("late")));
}

TEST(Connection, KeepsADeadlineAgainstASilentServer) {
  Wire wire;
  wire.stop_to_server(true);
  wire.client.start(wire.now(), kMethod, {}, 2s);
  wire.run_for(2s);
  EXPECT_EQ(wire.client_event<CallEnded>().status.code, StatusCode::DeadlineExceeded);
}

TEST(Connection, EndsACallWhoseDeadlineIsOverAtItsStart) {
  Wire wire;
  const CallId call = wire.client.start(wire.now(), kMethod, {}, 0s);
  const auto ended = wire.client.poll_event();
  ASSERT_TRUE(ended);
  EXPECT_EQ(std::get<CallEnded>(*ended).call, call);
  EXPECT_EQ(std::get<CallEnded>(*ended).status.code, StatusCode::DeadlineExceeded);
  wire.flush();
  EXPECT_TRUE(wire.quiet());
}

TEST(Connection, TellsTheServerThatACallIsCancelled) {
  Wire wire;
  const CallId call = begin(wire);
  ASSERT_TRUE(wire.server.send_message(call, as_bytes("a")));
  wire.leave_client_events(true);
  wire.flush();
  wire.client.cancel(wire.now(), call);
  wire.leave_client_events(false);
  wire.flush();
  EXPECT_EQ(wire.server_event<CallEnded>().status.code, StatusCode::Cancelled);
  EXPECT_TRUE(wire.quiet()) << "events of a cancelled call are forgotten";
  EXPECT_EQ(wire.client.calls() + wire.server.calls(), 0U);
}

TEST(Connection, ForgetsACallThatIsCancelledBeforeItIsSent) {
  Wire wire;
  wire.client.cancel(wire.now(), wire.client.start(wire.now(), kMethod));
  wire.flush();
  EXPECT_EQ(wire.client.calls(), 0U);
  const CallId call = begin(wire);
  wire.server.finish(call, {});
  wire.flush();
  EXPECT_TRUE(wire.client_event<CallEnded>().status.ok());
}

TEST(Connection, LetsTheServerFinishWhileTheClientStillSends) {
  Wire wire;
  const CallId call = begin(wire);
  ASSERT_TRUE(wire.client.send_message(call, pattern(1'000'000)));
  wire.server.finish(call, {StatusCode::OutOfRange, "enough"});
  wire.flush();
  while (!wire.client_events.empty() &&
         std::holds_alternative<HeadersReceived>(wire.client_events.front())) {
    wire.client_events.pop_front();
  }
  EXPECT_EQ(wire.client_event<CallEnded>().status.code, StatusCode::OutOfRange);
  EXPECT_EQ(wire.client.calls() + wire.server.calls(), 0U);
  EXPECT_EQ(wire.client.queued_bytes(), 0U);
  // The window of the connection is whole: as much again passes, many times.
  for (int i = 0; i < 5; ++i) {
    const CallId next = begin(wire);
    ASSERT_TRUE(wire.client.send_message(next, pattern(1'000'000)));
    wire.flush();
    EXPECT_EQ(wire.server_event<MessageReceived>().message.size(), 1'000'000U);
    wire.server.finish(next, {});
    wire.flush();
    EXPECT_TRUE(wire.client_event<CallEnded>().status.ok());
  }
}

TEST(Connection, BoundsWhatWaitsForASlowReader) {
  Wire wire(1, {.queued_bytes_max = 300'000});
  const CallId call = begin(wire);
  wire.stop_to_client(true);
  int taken = 0;
  while (taken < 100 && wire.server.send_message(call, pattern(10'000))) {
    ++taken;
    wire.flush();
  }
  EXPECT_EQ(taken, 29);
  EXPECT_EQ(wire.server.queued_bytes(call), 29U * 10'005);
  wire.stop_to_client(false);
  wire.flush();
  EXPECT_EQ(wire.server.queued_bytes(), 0U);
  EXPECT_EQ(wire.client_events.size(), 30U);
  EXPECT_TRUE(wire.server.send_message(call, pattern(10'000)));
}

TEST(Connection, StopsAPeerWhoseMessagesNobodyTakes) {
  Wire wire(1, {.received_bytes_max = 100'000});
  const CallId call = begin(wire);
  wire.leave_server_events(true);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(wire.client.send_message(call, pattern(10'000)));
  wire.flush();
  EXPECT_GT(wire.client.queued_bytes(), 500'000U) << "the window is shut";
  wire.leave_server_events(false);
  wire.flush();
  EXPECT_EQ(wire.client.queued_bytes(), 0U);
  EXPECT_EQ(wire.server_events.size(), 100U);
}

TEST(Connection, GivesTheWindowBackWhenACallEndsThatNobodyRead) {
  Wire wire(1, {.received_bytes_max = 100'000});
  for (int round = 0; round < 20; ++round) {
    const CallId call = begin(wire);
    wire.leave_server_events(true);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(wire.client.send_message(call, pattern(10'000)));
    wire.flush();
    EXPECT_GT(wire.client.queued_bytes(), 0U) << "the window is shut";
    if (round % 2 == 0) wire.client.cancel(wire.now(), call);
    if (round % 2 == 1) wire.server.finish(call, {});
    wire.flush();
    wire.leave_server_events(false);
    wire.flush();
    EXPECT_EQ(wire.client.queued_bytes(), 0U);
    wire.server_events.clear();
  }
  const CallId call = begin(wire);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(wire.client.send_message(call, pattern(10'000)));
  wire.flush();
  EXPECT_EQ(wire.server_events.size(), 30U);
}

TEST(Connection, StopsAServerWhoseMessagesNobodyTakes) {
  ClientOptions options{.authority = "x"};
  options.received_bytes_max = 100'000;
  Wire wire(1, {}, options);
  const CallId call = begin(wire);
  wire.leave_client_events(true);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(wire.server.send_message(call, pattern(10'000)));
  wire.flush();
  EXPECT_GT(wire.server.queued_bytes(call), 500'000U);
  wire.leave_client_events(false);
  wire.flush();
  EXPECT_EQ(wire.server.queued_bytes(), 0U);
  EXPECT_EQ(wire.client_events.size(), 101U);
}

TEST(Connection, RefusesAMessageThatIsTooLong) {
  Wire wire(1, {.message_bytes_max = 1'000});
  const CallId good = begin(wire);
  ASSERT_TRUE(wire.client.send_message(good, pattern(1'000)));
  wire.flush();
  wire.server_event<MessageReceived>();
  ASSERT_TRUE(wire.client.send_message(good, pattern(1'001)));
  wire.flush();
  EXPECT_EQ(wire.server_event<CallEnded>().status.code, StatusCode::ResourceExhausted);
  EXPECT_EQ(wire.client_event<CallEnded>().status.code, StatusCode::ResourceExhausted);
  EXPECT_EQ(wire.client.calls() + wire.server.calls(), 0U);
}

TEST(Connection, RefusesAnAnswerThatIsTooLong) {
  ClientOptions options{.authority = "x"};
  options.message_bytes_max = 1'000;
  Wire wire(1, {}, options);
  const CallId call = begin(wire);
  ASSERT_TRUE(wire.server.send_message(call, pattern(1'001)));
  wire.flush();
  wire.client_event<HeadersReceived>();
  EXPECT_EQ(wire.client_event<CallEnded>().status.code, StatusCode::ResourceExhausted);
  EXPECT_EQ(wire.server_event<CallEnded>().status.code, StatusCode::Cancelled);
}

TEST(Connection, GrowsWhatItMayReceiveWhenTold) {
  Wire wire(1, {.received_bytes_max = 64U << 10});
  const CallId first = begin(wire);
  ASSERT_TRUE(wire.client.send_message(first, pattern(100'000)));
  wire.flush();
  EXPECT_EQ(wire.server_event<CallEnded>().status.code, StatusCode::ResourceExhausted);
  EXPECT_EQ(wire.client_event<CallEnded>().status.code, StatusCode::ResourceExhausted);
  wire.server.set_received_bytes_max(1U << 20);
  const CallId second = begin(wire);
  ASSERT_TRUE(wire.client.send_message(second, pattern(100'000)));
  wire.flush();
  EXPECT_EQ(wire.server_event<MessageReceived>().message.size(), 100'000U);
}

TEST(Connection, CountsIncompleteMessagesOfAllCallsTogether) {
  Wire wire(1, {.received_bytes_max = 150'000});
  const CallId first = begin(wire);
  const CallId second = begin(wire);
  wire.set_piece_max(1'000);
  ASSERT_TRUE(wire.client.send_message(first, pattern(100'000)));
  ASSERT_TRUE(wire.client.send_message(second, pattern(100'000)));
  wire.flush();  // their frames take turns
  std::vector<StatusCode> ends;
  std::size_t messages = 0;
  for (const ServerEvent& event : wire.server_events) {
    if (const auto* end = std::get_if<CallEnded>(&event)) ends.push_back(end->status.code);
    messages += std::holds_alternative<MessageReceived>(event) ? 1U : 0U;
  }
  EXPECT_THAT(ends, ElementsAre(StatusCode::ResourceExhausted));
  EXPECT_EQ(messages, 1U);
}

TEST(Connection, AnswersPings) {
  Wire wire;
  wire.client.ping(wire.now(), 7);
  wire.server.ping(wire.now(), 8);
  wire.flush();
  EXPECT_EQ(wire.client_event<Ponged>().opaque, 7U);
  EXPECT_EQ(wire.server_event<Ponged>().opaque, 8U);
  EXPECT_TRUE(wire.quiet());
}

TEST(Connection, DrainsWhenTheServerGoesAway) {
  Wire wire;
  const CallId call = begin(wire);
  wire.server.go_away(wire.now());
  const CallId crossing = wire.client.start(wire.now(), kMethod);
  wire.flush();
  EXPECT_EQ(wire.server_event<CallStarted>().call, crossing) << "it was on its way";
  EXPECT_EQ(wire.client_event<GoingAway>().error, 0U);
  const CallId late = wire.client.start(wire.now(), kMethod);
  wire.flush();
  const auto refused = wire.client_event<CallEnded>();
  EXPECT_EQ(refused.call, late);
  EXPECT_EQ(refused.status.code, StatusCode::Unavailable);
  EXPECT_FALSE(wire.server.closed());
  wire.server.finish(call, {});
  wire.flush();
  EXPECT_TRUE(wire.client_event<CallEnded>().status.ok());
  EXPECT_FALSE(wire.server.closed() || wire.client.closed());
  wire.server.finish(crossing, {});
  wire.flush();
  EXPECT_TRUE(wire.client_event<CallEnded>().status.ok());
  EXPECT_TRUE(wire.server.closed() && wire.client.closed());
  EXPECT_FALSE(wire.server.next_timeout());
}

TEST(Connection, ClosesAnIdleConnectionThatGoesAway) {
  Wire wire;
  wire.flush();
  wire.server.go_away(wire.now());
  wire.flush();
  EXPECT_TRUE(wire.server.closed() && wire.client.closed());

  Wire other;
  const CallId call = begin(other);
  other.client.go_away(other.now());
  EXPECT_FALSE(other.client.closed());
  other.server.finish(call, {});
  other.flush();
  EXPECT_TRUE(other.client_event<CallEnded>().status.ok());
  EXPECT_TRUE(other.client.closed());
}

TEST(Connection, EndsCallsThatWaitWhenTheServerGoesAway) {
  Wire wire(1, {.calls_max = 1});
  wire.flush();
  const CallId first = begin(wire);
  const CallId waiting = wire.client.start(wire.now(), kMethod);
  wire.flush();
  wire.server.go_away(wire.now());
  wire.flush();
  wire.client_event<GoingAway>();
  const auto ended = wire.client_event<CallEnded>();
  EXPECT_EQ(ended.call, waiting);
  EXPECT_EQ(ended.status.code, StatusCode::Unavailable);
  wire.server.finish(first, {});
  wire.flush();
  EXPECT_TRUE(wire.client_event<CallEnded>().status.ok());
  EXPECT_TRUE(wire.client.closed());
}

TEST(Connection, EndsAllCallsWhenItIsClosed) {
  Wire wire;
  begin(wire);
  wire.client.close(wire.now(), "the line broke");
  wire.server.close(wire.now(), "the line broke");
  wire.flush();
  EXPECT_EQ(wire.client_event<CallEnded>().status.code, StatusCode::Unavailable);
  EXPECT_EQ(wire.server_event<CallEnded>().status.code, StatusCode::Cancelled);
  EXPECT_EQ(wire.client.close_reason(), "the line broke");
  const CallId dead = wire.client.start(wire.now(), kMethod);
  EXPECT_FALSE(wire.client.send_message(dead, as_bytes("x")));
  wire.flush();
  EXPECT_EQ(wire.client_event<CallEnded>().call, dead);
}

TEST(Connection, PingsAServerThatIsSilentAndGivesItUp) {
  Wire wire;
  begin(wire);
  wire.run_for(10min);
  EXPECT_FALSE(wire.client.closed() || wire.server.closed()) << "it answers";
  wire.stop_to_client(true);
  wire.run_for(39s);
  EXPECT_FALSE(wire.client.closed());
  wire.run_for(2s);
  EXPECT_TRUE(wire.client.closed());
  EXPECT_EQ(wire.client.close_reason(), "keepalive_timeout");
  EXPECT_EQ(wire.client_event<CallEnded>().status.code, StatusCode::Unavailable);
}

TEST(Connection, PingsAClientThatIsSilentAndGivesItUp) {
  ClientOptions options{.authority = "x"};
  options.keepalive_interval = {};
  Wire wire(1, {.keepalive_interval = 20s, .keepalive_timeout = 5s}, options);
  begin(wire);
  wire.run_for(10min);
  EXPECT_FALSE(wire.server.closed());
  wire.stop_to_server(true);
  wire.run_for(26s);
  EXPECT_TRUE(wire.server.closed());
  EXPECT_EQ(wire.server_event<CallEnded>().status.code, StatusCode::Cancelled);
}

TEST(Connection, SuffersAClientThatPingsEveryFiveSeconds) {
  Wire wire;
  wire.client.start(wire.now(), kMethod);
  for (std::uint64_t i = 0; i < 100; ++i) {
    wire.client.ping(wire.now(), i);
    wire.run_for(5s);
  }
  EXPECT_FALSE(wire.server.closed());
}

TEST(Connection, SendsAwayAClientThatPingsTooOften) {
  Wire wire;
  wire.client.start(wire.now(), kMethod);
  for (std::uint64_t i = 0; i < 10; ++i) {
    wire.client.ping(wire.now(), i);
    wire.run_for(1s);
    if (wire.server.closed()) break;
  }
  EXPECT_TRUE(wire.server.closed());
  EXPECT_EQ(wire.server.close_reason(), "too_many_pings");
  std::erase_if(wire.client_events,
                [](const auto& e) { return std::holds_alternative<Ponged>(e); });
  EXPECT_EQ(wire.client_event<GoingAway>().reason, "too_many_pings");
  wire.client.close(wire.now(), "the transport has ended");
  EXPECT_EQ(wire.client.close_reason(), "too_many_pings");
}

TEST(Connection, TakesPingsThatMeasureItsData) {
  Wire wire;
  const CallId call = begin(wire);
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(wire.server.send_message(call, pattern(100)));
    wire.flush();
    wire.client.ping(wire.now(), i);
    wire.flush();
  }
  EXPECT_FALSE(wire.server.closed());
}

TEST(Connection, ClosesWhenNoCallComesInTime) {
  Wire wire;
  wire.run_for(9s);
  EXPECT_FALSE(wire.server.closed());
  wire.run_for(1s);
  EXPECT_TRUE(wire.server.closed());
  EXPECT_EQ(wire.server.close_reason(), "no_request");

  Wire used;
  const CallId call = begin(used);
  used.server.finish(call, {});
  used.run_for(10min);
  EXPECT_FALSE(used.server.closed()) << used.server.close_reason();
}

TEST(Connection, SendsAwayAClientThatResetsRapidly) {
  Wire wire(1, {.resets_max = 50});
  int calls = 0;
  while (calls < 1'000 && !wire.server.closed()) {
    const CallId call = wire.client.start(wire.now(), kMethod);
    wire.flush();
    wire.client.cancel(wire.now(), call);
    wire.flush();
    ++calls;
  }
  EXPECT_EQ(calls, 51);
  EXPECT_EQ(wire.server.close_reason(), "too_many_resets");
}

TEST(Connection, SuffersAClientThatCancelsNowAndThen) {
  Wire wire(1, {.resets_max = 60});
  for (int i = 0; i < 1'000; ++i) {
    wire.client.cancel(wire.now(), begin(wire));
    wire.run_for(1s);
    wire.server_events.clear();
  }
  EXPECT_FALSE(wire.server.closed());
  EXPECT_EQ(wire.client.calls() + wire.server.calls(), 0U);
}

TEST(Connection, ReturnsTheSameFromTheSameSeed) {
  const auto run = [] {
    Wire wire(9);
    const CallId call = begin(wire, 5s);
    EXPECT_TRUE(wire.server.send_message(call, pattern(5'000)));
    wire.run_for(10s);
    return std::pair(wire.bytes_to_client, wire.bytes_to_server);
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace trellis::grpc
