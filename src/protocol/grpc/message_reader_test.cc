#include "protocol/grpc/message_reader.h"

#include "protocol/grpc/budget.h"
#include "protocol/grpc/pings.h"
#include "protocol/grpc/send_queue.h"
#include "protocol/grpc/wire_test.h"

namespace trellis::grpc {
namespace {

constexpr MessageReader::Bounds kBounds{100'000, 100'000};

ByteVector drain(SendQueue& queue, std::size_t piece) {
  ByteVector result;
  ByteVector buffer(piece);
  while (!queue.empty()) append(result, ByteView(buffer).first(queue.take(buffer)));
  return result;
}

TEST(MessageReader, ReadsWhatTheQueueWritesInPiecesOfAnySize) {
  for (const std::size_t piece : {1U, 2U, 5U, 7U, 1'000U, 100'000U}) {
    SendQueue queue;
    for (const std::size_t size : {0U, 1U, 5U, 30'000U, 0U}) queue.push(pattern(size));
    EXPECT_EQ(queue.size(), 30'006U + 5 * 5);
    const ByteVector stream = drain(queue, piece);
    MessageReader reader;
    std::vector<std::size_t> sizes;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      ByteView rest = ByteView(stream).subspan(at, std::min(piece, stream.size() - at));
      while (!rest.empty()) {
        auto message = reader.read(rest, kBounds);
        ASSERT_TRUE(message);
        if (!*message) continue;
        EXPECT_EQ(**message, pattern((*message)->size()));
        sizes.push_back((*message)->size());
      }
    }
    EXPECT_EQ(sizes, (std::vector<std::size_t>{0, 1, 5, 30'000, 0}));
    EXPECT_TRUE(reader.at_boundary());
    EXPECT_EQ(reader.announced_bytes(), 0U);
  }
}

TEST(MessageReader, TellsProblemsWhenThePrefixIsComplete) {
  struct Case {
    ByteVector prefix;
    MessageReader::Bounds bounds;
    MessageProblem problem;
  };
  const auto prefix = [](std::uint8_t flags, std::uint32_t length) {
    ByteVector bytes{std::byte{flags}};
    append(bytes, bytes_of(be32(length)));
    return bytes;
  };
  const Case cases[] = {
      {prefix(1, 3), kBounds, MessageProblem::Compressed},
      {prefix(0, 100'001), kBounds, MessageProblem::TooLong},
      {prefix(0, 0xffff'ffff), kBounds, MessageProblem::TooLong},
      {prefix(0, 51), {100, 50}, MessageProblem::NoRoom},
  };
  for (const Case& c : cases) {
    MessageReader reader;
    ByteView front = ByteView(c.prefix).first(4);
    ASSERT_TRUE(reader.read(front, c.bounds));
    EXPECT_FALSE(reader.at_boundary());
    ByteView last = ByteView(c.prefix).subspan(4);
    const auto result = reader.read(last, c.bounds);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), c.problem);
  }
}

TEST(SendQueue, GivesItsMemoryBackAndKeepsOrder) {
  SendQueue queue;
  ByteVector buffer(3'000);
  ByteVector stream;
  for (std::uint8_t i = 0; i < 100; ++i) {
    queue.push(pattern(2'000, i));
    append(stream, ByteView(buffer).first(queue.take(buffer)));
  }
  append(stream, drain(queue, 999));
  MessageReader reader;
  ByteView rest = stream;
  for (std::uint8_t i = 0; i < 100; ++i) EXPECT_EQ(**reader.read(rest, kBounds), pattern(2'000, i));
  EXPECT_TRUE(queue.empty());
}

TEST(Budget, RefillsWithTime) {
  TimePoint now{1h};
  Budget budget(3, 60s);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.take(now));
  EXPECT_FALSE(budget.take(now));
  now += 20s;
  EXPECT_TRUE(budget.take(now));
  EXPECT_FALSE(budget.take(now));
  now += 24h;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.take(now));
  EXPECT_FALSE(budget.take(now));
}

TEST(PingGuard, CountsPingsThatComeTooSoon) {
  TimePoint now{1h};
  PingGuard guard(5s, 2);
  EXPECT_TRUE(guard.accept(now));
  EXPECT_TRUE(guard.accept(now += 5s));
  EXPECT_TRUE(guard.accept(now += 1s));
  EXPECT_TRUE(guard.accept(now += 1s));
  EXPECT_FALSE(guard.accept(now += 1s));
}

TEST(PingGuard, ForgivesWhenDataWasSent) {
  TimePoint now{1h};
  PingGuard guard(5s, 2);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(guard.accept(now));
    EXPECT_TRUE(guard.accept(now));
    guard.note_data_sent();
  }
}

TEST(SentPings, KeepsFewOfTheOwner) {
  SentPings pings;
  for (std::uint64_t i = 0; i < SentPings::kOwnerMax; ++i) {
    EXPECT_TRUE(pings.add(PingPurpose::Owner, i));
  }
  EXPECT_FALSE(pings.add(PingPurpose::Owner, 99));
  EXPECT_TRUE(pings.add(PingPurpose::Keepalive, 100));
  EXPECT_FALSE(pings.add(PingPurpose::Keepalive, 100));
  EXPECT_EQ(pings.take(100), PingPurpose::Keepalive);
  EXPECT_EQ(pings.take(100), std::nullopt);
  EXPECT_EQ(pings.take(3), PingPurpose::Owner);
  EXPECT_TRUE(pings.add(PingPurpose::Owner, 99));
}

}  // namespace
}  // namespace trellis::grpc
