#include "protocol/grpc/frames_test.h"
#include "protocol/grpc/server_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

// What a client may do wrong, frame by frame.

namespace trellis::grpc {
namespace {

using frames::Seen;

constexpr std::uint32_t kCancel = 8;
constexpr std::uint32_t kRefusedStream = 7;

/// A server, and a client that sends what it likes.
class Victim {
 public:
  explicit Victim(const ServerLimits& limits = {}) : server(now, limits) {
    send(frames::preface());
    send(frames::frame(frames::kSettings, frames::kNone, 0));
  }

  void send(ByteView bytes) {
    server.receive(now, bytes);
    drain();
  }
  void drain() {
    while (auto event = server.poll_event()) events.push_back(*std::move(event));
    if (!reads) return;
    for (ByteVector bytes = server.poll_transmit(); !bytes.empty();
         bytes = server.poll_transmit()) {
      append(sent, bytes);
    }
  }

  std::vector<Seen> take_sent() {
    drain();
    return frames::parse(std::exchange(sent, {}));
  }
  /// The headers and trailers that came for the stream.
  Headers headers_of(std::uint32_t stream) {
    Headers result;
    for (const Seen& seen : take_sent()) {
      if (seen.type != frames::kHeaders) continue;
      const Headers headers = inflater.inflate(seen.payload);
      if (seen.stream == stream) result.insert(result.end(), headers.begin(), headers.end());
    }
    return result;
  }
  std::optional<Status> end_of(std::uint32_t stream) const {
    for (const ServerEvent& event : events) {
      const auto* end = std::get_if<CallEnded>(&event);
      if (end != nullptr && end->call == CallId{stream}) return end->status;
    }
    return std::nullopt;
  }
  template <class E>
  std::size_t count() const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(), [](const auto& e) { return std::holds_alternative<E>(e); }));
  }

  TimePoint now{1h};
  ServerConnection server;
  std::vector<ServerEvent> events;
  ByteVector sent;
  frames::Inflater inflater;
  bool reads = true;
};

Headers with(Headers headers, std::string_view name, std::string_view value) {
  std::erase_if(headers, [&](const Header& header) { return header.name == name; });
  const Header header{std::string(name), std::string(value)};
  // Pseudo-headers come first.
  if (!value.empty()) headers.insert(name[0] == ':' ? headers.begin() : headers.end(), header);
  return headers;
}

std::string value_of(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return "(none)";
}

TEST(ServerFaults, WantsThePrefaceOfHttp2) {
  for (const std::string_view words :
       {"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"}) {
    ServerConnection server(TimePoint{1h}, {});
    server.receive(TimePoint{1h}, as_bytes(words));
    EXPECT_TRUE(server.closed());
    EXPECT_FALSE(server.close_reason().empty());
    EXPECT_FALSE(server.poll_event());
  }
}

TEST(ServerFaults, AnswersWhatIsNoCall) {
  struct Case {
    const char* name;
    Headers headers;
    const char* http;
    const char* grpc;
  };
  const Headers good = frames::request();
  const Case cases[] = {
      {"method", with(good, ":method", "GET"), "405", "13"},
      {"content-type", with(good, "content-type", "application/json"), "415", "13"},
      {"content-type alike", with(good, "content-type", "application/grpcx"), "415", "13"},
      {"no content-type", with(good, "content-type", ""), "415", "13"},
      {"compression", with(good, "grpc-encoding", "gzip"), "200", "12"},
      {"timeout", with(good, "grpc-timeout", "123456789S"), "200", "13"},
      {"timeout unit", with(good, "grpc-timeout", "5x"), "200", "13"},
      {"binary metadata", with(good, "x-bin", "a"), "200", "13"},
      {"long headers", with(good, "x-long", std::string(16'050, 'x')), "200", "8"},
  };
  for (const Case& c : cases) {
    for (const bool last : {true, false}) {
      SCOPED_TRACE(c.name);
      Victim victim;
      victim.send(frames::headers(1, c.headers, last));
      EXPECT_EQ(victim.count<CallStarted>(), 0U);
      const Headers answer = victim.headers_of(1);
      EXPECT_EQ(value_of(answer, ":status"), c.http);
      EXPECT_EQ(value_of(answer, "grpc-status"), c.grpc);
      EXPECT_EQ(victim.server.calls(), 0U);
      EXPECT_FALSE(victim.server.closed());
    }
  }
}

TEST(ServerFaults, TakesContentTypesOfGrpc) {
  for (const char* type : {"application/grpc", "application/grpc+proto", "application/grpc; a=b"}) {
    Victim victim;
    victim.send(frames::headers(1, with(frames::request(), "content-type", type)));
    EXPECT_EQ(victim.count<CallStarted>(), 1U) << type;
  }
}

TEST(ServerFaults, RefusesACompressedMessage) {
  Victim victim;
  victim.send(frames::headers(1, frames::request()));
  victim.send(frames::data(1, frames::message(as_bytes("zip"), 1)));
  EXPECT_EQ(victim.end_of(1)->code, StatusCode::Unimplemented);
  EXPECT_EQ(victim.server.calls(), 0U);
}

TEST(ServerFaults, AllocatesNothingForAnAnnouncedLength) {
  Victim victim;
  victim.send(frames::headers(1, frames::request()));
  ByteVector prefix{std::byte{0}};
  append(prefix, frames::number32(0xffff'ffff));
  victim.send(frames::data(1, prefix));
  EXPECT_EQ(victim.end_of(1)->code, StatusCode::ResourceExhausted);
}

TEST(ServerFaults, RefusesAMessageThatIsCutShort) {
  for (const std::size_t cut : {1U, 4U, 5U, 7U}) {
    Victim victim;
    victim.send(frames::headers(1, frames::request()));
    const ByteVector whole = frames::message(as_bytes("question"));
    victim.send(frames::data(1, ByteView(whole).first(cut), /*last=*/true));
    EXPECT_EQ(victim.end_of(1)->code, StatusCode::Internal);
    EXPECT_EQ(victim.count<HalfClosed>(), 0U);
    EXPECT_EQ(victim.server.calls(), 0U);
  }
}

TEST(ServerFaults, TakesTrailersOfAClientForItsEnd) {
  Victim victim;
  victim.send(frames::headers(1, frames::request()));
  victim.send(frames::headers(1, {{"x-trailer", "1"}}, /*last=*/true));
  EXPECT_EQ(victim.count<HalfClosed>(), 1U);
}

TEST(ServerFaults, RefusesCallsBeyondItsLimit) {
  Victim victim({.calls_max = 2});
  for (std::uint32_t i = 0; i < 5; ++i) victim.send(frames::headers(2 * i + 1, frames::request()));
  EXPECT_EQ(victim.count<CallStarted>(), 2U);
  EXPECT_EQ(victim.server.calls(), 2U);
  std::size_t refused = 0;
  for (const Seen& seen : victim.take_sent()) {
    if (seen.type == frames::kReset) {
      EXPECT_EQ(seen.payload, frames::number32(kRefusedStream));
      ++refused;
    }
  }
  EXPECT_EQ(refused, 3U);
}

TEST(ServerFaults, EndsAFloodOfResets) {
  Victim victim({.resets_max = 20});
  std::uint32_t stream = 1;
  for (; stream < 2'000 && !victim.server.closed(); stream += 2) {
    victim.send(frames::headers(stream, frames::request()));
    victim.send(frames::reset(stream, stream % 4 == 1 ? kCancel : 0));
  }
  EXPECT_EQ(victim.server.close_reason(), "too_many_resets");
  EXPECT_EQ(stream, 2U * 21 + 1);
  EXPECT_EQ(victim.count<CallStarted>(), victim.count<CallEnded>());
}

/// Makes the server reset the stream: its window would exceed 2^31-1. [RFC 9113 6.9.1]
ByteVector overflow(std::uint32_t stream) {
  return frames::frame(frames::kWindowUpdate, frames::kNone, stream, frames::number32(0x7fff'ffff));
}

// The server resets those itself, so a limit on the client's own resets would not count them.
TEST(ServerFaults, EndsAFloodOfStreamsThatItMustReset) {
  Victim victim({.resets_max = 20});
  for (std::uint32_t stream = 1; stream < 2'000 && !victim.server.closed(); stream += 2) {
    victim.send(frames::headers(stream, frames::request()));
    victim.send(overflow(stream));
  }
  EXPECT_EQ(victim.server.close_reason(), "too_many_resets");
  EXPECT_EQ(victim.count<CallStarted>(), 21U);
}

TEST(ServerFaults, EndsAFloodOfSmallFrames) {
  const std::vector<std::pair<const char*, ByteVector>> floods{
      {"settings", frames::frame(frames::kSettings, frames::kNone, 0)},
      {"pings", frames::frame(frames::kPing, frames::kNone, 0, ByteVector(8))},
      {"answers to no ping", frames::frame(frames::kPing, frames::kAck, 0, ByteVector(8))},
      {"priorities", frames::frame(frames::kPriority, frames::kNone, 3, ByteVector(5))},
      {"empty data", frames::data(1, {})},
  };
  for (const bool reads : {true, false}) {
    for (const auto& [name, bytes] : floods) {
      SCOPED_TRACE(name);
      Victim victim;
      victim.send(frames::headers(1, frames::request()));
      victim.reads = reads;
      int count = 0;
      for (; count < 5'000 && !victim.server.closed(); ++count) victim.send(bytes);
      EXPECT_TRUE(victim.server.closed());
      EXPECT_LE(count, 1'000);
      EXPECT_EQ(victim.end_of(1)->code, StatusCode::Cancelled);
    }
  }
}

TEST(ServerFaults, EndsAFloodOfContinuations) {
  Victim victim;
  victim.send(frames::frame(frames::kHeaders, frames::kNone, 1, frames::block(frames::request())));
  for (int i = 0; i < 20 && !victim.server.closed(); ++i) {
    victim.send(
        frames::frame(frames::kContinuation, frames::kNone, 1, frames::block({{"a", "b"}})));
  }
  EXPECT_TRUE(victim.server.closed());
  EXPECT_EQ(victim.count<CallStarted>(), 0U);
}

// One byte refers to a header of 4,000 bytes: [CVE-2016-6581].
TEST(ServerFaults, BoundsHeadersThatUnpackToMuch) {
  Victim victim;
  victim.send(frames::headers(1, frames::request()));
  ByteVector bomb = frames::block(frames::request());
  bomb.push_back(std::byte{0x40});  // literal with indexing: it becomes entry 62
  const std::string value(4'000, 'x');
  for (const std::string& text : {std::string("x"), value}) {
    frames::append_integer(bomb, text.size(), 7);
    append(bomb, as_bytes(text));
  }
  bomb.resize(16'000, std::byte{0x80 | 62});
  victim.send(frames::frame(frames::kHeaders, frames::kEndHeaders, 3, bomb));
  EXPECT_EQ(victim.count<CallStarted>(), 1U);
  EXPECT_EQ(victim.server.calls(), 1U);
  EXPECT_FALSE(victim.server.closed());
  victim.send(frames::headers(5, frames::request()));
  EXPECT_EQ(victim.count<CallStarted>(), 2U) << "HPACK still agrees";
}

TEST(ServerFaults, BoundsWhatItOwesToAClientThatReadsNothing) {
  Victim victim({.calls_max = 100, .resets_max = 1'000'000});
  victim.reads = false;
  std::uint32_t stream = 1;
  for (; stream < 100'000 && !victim.server.closed(); stream += 2) {
    victim.send(frames::headers(stream, frames::request()));
    victim.send(overflow(stream));
  }
  EXPECT_EQ(victim.server.close_reason(), "too_many_unsent_frames");
  EXPECT_LT(stream, 5'000U);
}

TEST(ServerFaults, GivesUpATransportThatTakesNothing) {
  Victim victim({.first_request = {}});
  victim.reads = false;
  // Ends the connection for HTTP/2, but the farewell cannot be sent.
  victim.send(frames::frame(frames::kWindowUpdate, frames::kNone, 0, frames::number32(0)));
  ASSERT_TRUE(victim.server.next_timeout());
  victim.now = *victim.server.next_timeout();
  EXPECT_EQ(victim.now, TimePoint{1h} + 60s);
  victim.server.handle_timeout(victim.now);
  EXPECT_EQ(victim.server.close_reason(), "transport_stalled");
}

TEST(ServerFaults, BoundsAnswersToAClientWhoseWindowIsShut) {
  Victim victim({.queued_bytes_max = 100'000});
  const ByteVector no_window{std::byte{0}, std::byte{4}, std::byte{0},
                             std::byte{0}, std::byte{0}, std::byte{0}};
  victim.send(frames::frame(frames::kSettings, frames::kNone, 0, no_window));
  for (std::uint32_t stream = 1; stream < 2'000; stream += 2) {
    victim.send(frames::headers(stream, frames::request(), /*last=*/true));
    if (victim.server.send_message(CallId{stream}, ByteVector(5'000))) {
      victim.server.finish(CallId{stream}, {});
    } else {
      victim.server.finish(CallId{stream}, {StatusCode::ResourceExhausted, "read first"});
    }
    victim.drain();
  }
  EXPECT_LE(victim.server.queued_bytes(), 100'000U);
  EXPECT_EQ(victim.server.calls(), 19U) << "the others had no data and are over";
}

TEST(ServerFaults, ExpiresAnAnswerThatNobodyReads) {
  Victim victim;
  const ByteVector no_window{std::byte{0}, std::byte{4}, std::byte{0},
                             std::byte{0}, std::byte{0}, std::byte{0}};
  victim.send(frames::frame(frames::kSettings, frames::kNone, 0, no_window));
  victim.send(frames::headers(1, with(frames::request(), "grpc-timeout", "2S"), /*last=*/true));
  ASSERT_TRUE(victim.server.send_message(CallId{1}, as_bytes("answer")));
  victim.server.finish(CallId{1}, {});
  victim.drain();
  EXPECT_EQ(victim.server.calls(), 1U);
  ASSERT_EQ(victim.server.next_timeout(), victim.now + 2s);
  victim.now += 2s;
  victim.server.handle_timeout(victim.now);
  victim.drain();
  EXPECT_EQ(victim.server.calls(), 0U);
  EXPECT_EQ(victim.server.queued_bytes(), 0U);
  EXPECT_EQ(victim.count<CallEnded>(), 0U) << "the owner had finished it";
}

// Flow control of the connection must come back whole from every way in which a stream may end.
TEST(ServerFaults, LosesNoWindowToBrokenStreams) {
  Victim victim({.received_bytes_max = 64U << 10, .resets_max = 100'000});
  const ByteVector piece(10'000);
  for (std::uint32_t stream = 1; stream < 1'000; stream += 2) {
    victim.send(frames::headers(stream, frames::request()));
    ByteVector start{std::byte{0}};
    append(start, frames::number32(20'000));
    victim.send(frames::data(stream, start));
    victim.send(frames::data(stream, piece));
    ByteVector padded{std::byte{200}};
    padded.resize(1 + 5'000 + 200);
    victim.send(frames::frame(frames::kData, frames::kPadded, stream, padded));
    if (stream % 3 == 0) victim.server.finish(CallId{stream}, {StatusCode::Aborted, ""});
    victim.drain();
    victim.send(frames::data(stream, piece));
    victim.send(frames::reset(stream, kCancel));
    // A client that keeps the rules counts the window; here it is enough that nghttp2 does.
    ASSERT_FALSE(victim.server.closed()) << stream << ": " << victim.server.close_reason();
  }
  std::uint64_t returned = 0;
  for (const Seen& seen : victim.take_sent()) {
    if (seen.type != frames::kWindowUpdate || seen.stream != 0) continue;
    returned += Reader(seen.payload).read<be32>();
  }
  EXPECT_GE(returned + (64U << 10), 500U * (5 + 10'000 + 5'201));
}

TEST(ServerFaults, EndsAConnectionThatOverrunsItsWindow) {
  Victim victim({.received_bytes_max = 64U << 10});
  victim.send(frames::headers(1, frames::request()));
  // Nobody takes the messages, so the window shuts; the client does not care.
  const ByteVector piece = frames::message(ByteVector(10'000));
  for (int i = 0; i < 40 && !victim.server.closed(); ++i) {
    victim.server.receive(victim.now, frames::data(1, piece));
    victim.server.poll_transmit();
  }
  EXPECT_TRUE(victim.server.closed());
}

TEST(ServerFaults, IgnoresWhatFollowsItsEnd) {
  Victim victim;
  victim.send(frames::headers(1, frames::request()));
  victim.server.close(victim.now, "enough");
  victim.drain();
  const std::size_t before = victim.events.size();
  victim.send(frames::headers(3, frames::request()));
  victim.send(frames::data(1, frames::message(as_bytes("x"))));
  EXPECT_EQ(victim.events.size(), before);
  EXPECT_FALSE(victim.server.send_message(CallId{1}, as_bytes("x")));
  EXPECT_FALSE(victim.server.next_timeout());
}

}  // namespace
}  // namespace trellis::grpc
