#include "protocol/grpc/frame_buffer.h"

#include "protocol/grpc/wire_test.h"

#include <array>
#include <memory>

namespace trellis::grpc {
namespace {

constexpr std::size_t kMessageBytes = 300'000;

/// A client that asks, and a server that answers with much: with headers that take several frames
/// before and after the message.
struct Pair {
  explicit Pair(std::uint8_t the_seed, FrameBuffer* shared)
      : seed(the_seed),
        wire(the_seed, {.frame_buffer = shared},
             {.authority = "server.test", .header_bytes_max = 256U << 10}) {
    call = wire.client.start(wire.now(), "/test.Service/Method");
    wire.client.send_message(call, as_bytes("question"));
    wire.client.half_close(call);
    wire.flush();
    wire.server_events.clear();
    wire.server.send_headers(call, {{"head-bin", text_of(pattern(20'000, seed))}});
    EXPECT_TRUE(wire.server.send_message(call, pattern(kMessageBytes, seed)));
    wire.server.finish(call, {}, {{"tail-bin", text_of(pattern(30'000, seed))}});
  }

  /// One turn of each end. False: nothing moved.
  bool step() {
    const ByteVector down = wire.server.poll_transmit();
    wire.client.receive(wire.now(), down);
    while (auto event = wire.client.poll_event()) events.push_back(*std::move(event));
    const ByteVector up = wire.client.poll_transmit();
    wire.server.receive(wire.now(), up);
    return !down.empty() || !up.empty();
  }

  void expect_all() const {
    ASSERT_EQ(events.size(), 3U);
    EXPECT_EQ(find(std::get<HeadersReceived>(events[0]).metadata, "head-bin"),
              text_of(pattern(20'000, seed)));
    EXPECT_TRUE(std::get<MessageReceived>(events[1]).message == pattern(kMessageBytes, seed));
    EXPECT_EQ(find(std::get<CallEnded>(events[2]).trailers, "tail-bin"),
              text_of(pattern(30'000, seed)));
  }

  std::uint8_t seed;
  Wire wire;
  CallId call{};
  std::vector<ClientEvent> events;
};

TEST(FrameBuffer, IsSharedByConnectionsThatWriteInTurns) {
  FrameBuffer shared;
  std::vector<std::unique_ptr<Pair>> pairs;
  for (std::uint8_t seed = 1; seed <= 3; ++seed) {
    pairs.push_back(std::make_unique<Pair>(seed, &shared));
  }
  pairs.push_back(std::make_unique<Pair>(4, nullptr));
  for (bool moved = true; moved;) {
    moved = false;
    for (const auto& pair : pairs) moved |= pair->step();
  }
  for (const auto& pair : pairs) pair->expect_all();
}

TEST(FrameBuffer, IsWhatNghttp2WritesTo) {
  FrameBuffer shared;
  Pair pair(1, &shared);
  const auto used = [&] {
    const ByteView bytes(shared.data(), FrameBuffer::kSize);
    return static_cast<std::size_t>(
        std::ranges::count_if(bytes, [](std::byte b) { return b != std::byte{}; }));
  };
  while (pair.step()) continue;
  EXPECT_GT(used(), 10'000U);
}

TEST(FrameBuffer, OutlivesConnectionsInAnyOrder) {
  FrameBuffer shared;
  std::vector<std::unique_ptr<Pair>> pairs;
  for (std::uint8_t seed = 1; seed <= 3; ++seed) {
    pairs.push_back(std::make_unique<Pair>(seed, &shared));
  }
  for (int turn = 0; turn < 4; ++turn) {
    for (const auto& pair : pairs) pair->step();
  }
  pairs.erase(pairs.begin() + 1);
  pairs.push_back(std::make_unique<Pair>(9, &shared));
  for (bool moved = true; moved;) {
    moved = false;
    for (const auto& pair : pairs) moved |= pair->step();
  }
  for (const auto& pair : pairs) pair->expect_all();
}

}  // namespace
}  // namespace trellis::grpc
