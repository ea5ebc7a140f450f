#include "protocol/grpc/wire_test.h"

#include <map>

// Both owners do anything at any time, for many seeds; what must hold, holds for every call.

namespace trellis::grpc {
namespace {

constexpr int kSeeds = 100;
constexpr int kSteps = 300;
constexpr std::size_t kRoom = 500'000;

/// What one end has seen and done of a call.
struct Track {
  std::uint32_t sent = 0;      // messages that the engine took
  std::uint32_t received = 0;  // and those that came, in order
  bool ended = false;          // by an event
  bool left = false;           // by its owner: no event may follow
  bool open = true;            // the owner may send
};
using Tracks = std::map<CallId, Track>;

/// A message says its number, and has a length that follows from it.
ByteVector numbered(std::uint32_t number) {
  ByteVector message = to_vector(bytes_of(be32(number)));
  message.resize(4 + number * 7'919 % 40'000);
  return message;
}

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed)
      : wire_(seed, {.calls_max = 5, .received_bytes_max = kRoom}), random_(seed + 1'000'000) {
    wire_.set_piece_max(1 + random_.below(3'000));
  }

  void run() {
    for (int i = 0; i < kSteps; ++i) {
      step();
      take_events();
    }
    settle();
  }

 private:
  void step() {
    const std::uint64_t choice = random_.below(100);
    if (choice < 6) return start();
    if (choice < 30) return send(client_, wire_.client);
    if (choice < 54) return send(server_, wire_.server);
    if (choice < 57) return half_close();
    if (choice < 60) return cancel();
    if (choice < 63) return finish();
    if (choice < 66) return wire_.run_for(random_.below(1'000) * 1ms);
    if (choice < 70) return wire_.stop_to_client(random_.below(3) == 0);
    if (choice < 74) return wire_.stop_to_server(random_.below(3) == 0);
    if (choice < 78) return wire_.leave_client_events(random_.below(2) == 0);
    if (choice < 82) return wire_.leave_server_events(random_.below(2) == 0);
    wire_.flush();
  }

  void start() {
    std::optional<Duration> deadline;
    if (random_.below(3) == 0) deadline = random_.below(3'000) * 1ms;
    client_[wire_.client.start(wire_.now(), "/a.B/C", {}, deadline)];
  }
  template <class Engine>
  void send(Tracks& tracks, Engine& engine) {
    const auto chosen = any(tracks);
    if (chosen == tracks.end()) return;
    auto& [call, track] = *chosen;
    const bool taken = engine.send_message(call, numbered(track.sent));
    EXPECT_TRUE(!taken || (track.open && !track.ended && !track.left));
    track.sent += taken ? 1U : 0U;
  }
  void half_close() {
    const auto chosen = any(client_);
    if (chosen == client_.end()) return;
    wire_.client.half_close(chosen->first);
    chosen->second.open = false;
  }
  void cancel() {
    const auto chosen = any(client_);
    if (chosen == client_.end()) return;
    wire_.client.cancel(wire_.now(), chosen->first);
    chosen->second.left = true;
  }
  void finish() {
    const auto chosen = any(server_);
    if (chosen == server_.end()) return;
    wire_.server.finish(chosen->first, {StatusCode::Aborted, "enough"});
    chosen->second.left = true;
  }
  /// Mostly one that runs.
  Tracks::iterator any(Tracks& tracks) {
    auto chosen = tracks.end();
    for (int tries = 0; tries < 8 && !tracks.empty(); ++tries) {
      chosen = std::next(tracks.begin(), static_cast<std::ptrdiff_t>(random_.below(tracks.size())));
      if (!chosen->second.ended && !chosen->second.left) break;
    }
    return chosen;
  }

  void take_events() {
    for (; !wire_.client_events.empty(); wire_.client_events.pop_front()) {
      std::visit([&](const auto& event) { note(client_, event); }, wire_.client_events.front());
    }
    for (; !wire_.server_events.empty(); wire_.server_events.pop_front()) {
      std::visit([&](const auto& event) { note(server_, event); }, wire_.server_events.front());
    }
  }
  static void note(Tracks& tracks, const CallStarted& started) {
    EXPECT_TRUE(tracks.emplace(started.call, Track{}).second);
  }
  static void note(Tracks& tracks, const MessageReceived& event) {
    Track& track = live(tracks, event.call);
    EXPECT_EQ(event.message, numbered(track.received++));
  }
  static void note(Tracks& tracks, const CallEnded& event) {
    live(tracks, event.call).ended = true;
  }
  static void note(Tracks& tracks, const HeadersReceived& event) { live(tracks, event.call); }
  static void note(Tracks& tracks, const HalfClosed& event) { live(tracks, event.call); }
  static void note(Tracks& /*tracks*/, const Ponged& /*event*/) {}
  static void note(Tracks& /*tracks*/, const GoingAway& /*event*/) {}
  static Track& live(Tracks& tracks, CallId call) {
    const auto found = tracks.find(call);
    if (found == tracks.end()) {
      ADD_FAILURE() << "an event of a call that nobody knows";
      return tracks[call];
    }
    EXPECT_FALSE(found->second.ended || found->second.left) << "an event after the last";
    return found->second;
  }

  /// When the network is whole and the server ends every call, nothing is left of any.
  void settle() {
    wire_.stop_to_client(false);
    wire_.stop_to_server(false);
    wire_.leave_server_events(false);
    wire_.leave_client_events(false);
    for (int round = 0; round < 50; ++round) {
      wire_.flush();
      take_events();
      for (auto& [call, track] : server_) {
        wire_.server.finish(call, {});
        track.left = true;
      }
    }
    EXPECT_FALSE(wire_.client.closed() || wire_.server.closed()) << wire_.server.close_reason();
    EXPECT_EQ(wire_.client.calls() + wire_.server.calls(), 0U);
    EXPECT_EQ(wire_.client.queued_bytes() + wire_.server.queued_bytes(), 0U);
    for (const auto& [call, track] : client_) {
      EXPECT_TRUE(track.ended || track.left);
      const auto served = server_.find(call);
      if (served == server_.end()) continue;
      EXPECT_LE(served->second.received, track.sent);
      EXPECT_LE(track.received, served->second.sent);
    }
    expect_all_room();
  }

  /// Whatever calls have ended, in whatever way, has left its room to others.
  void expect_all_room() {
    const CallId call = wire_.client.start(wire_.now(), "/a.B/C");
    EXPECT_TRUE(wire_.client.send_message(call, pattern(kRoom - 1'000)));
    wire_.flush();
    EXPECT_EQ(wire_.server_events.size(), 2U) << "an incomplete message of all that may be";
    wire_.leave_server_events(true);
    for (int i = 0; i < 30; ++i) EXPECT_TRUE(wire_.client.send_message(call, pattern(20'000)));
    wire_.flush();
    EXPECT_EQ(wire_.client.queued_bytes(), 0U) << "as much unread, and more in the window";
  }

  Wire wire_;
  testing::SeededRandom random_;
  Tracks client_;
  Tracks server_;
};

TEST(Chaos, EveryCallEndsOnceAndInOrder) {
  for (std::uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Chaos(seed).run();
  }
}

}  // namespace
}  // namespace trellis::grpc
