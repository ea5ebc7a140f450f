#include "testing/sim.h"

#include <gtest/gtest.h>

namespace trellis::testing {
namespace {

const Endpoint kAlice = *Endpoint::parse("192.0.2.1:1");
const Endpoint kBob = *Endpoint::parse("192.0.2.2:2");
const Endpoint kElsewhere = *Endpoint::parse("198.51.100.3:3");

/// Sends what it is given, remembers what it gets, and can send once at a time.
class Recorder final : public SimHost {
 public:
  struct Received {
    TimePoint at;
    Endpoint from;
    ByteVector bytes;
    friend bool operator==(const Received&, const Received&) = default;
  };

  void handle_datagram(TimePoint now, const Endpoint& from, ByteView datagram) override {
    received.push_back({now, from, to_vector(datagram)});
  }
  void handle_timeout(TimePoint now) override {
    if (!timer || *timer > now) return;
    fired = now;
    timer.reset();
  }
  std::optional<TimePoint> next_timeout() const override { return timer; }
  std::optional<SimDatagram> poll_transmit() override {
    if (outbox.empty()) return std::nullopt;
    SimDatagram datagram = std::move(outbox.front());
    outbox.erase(outbox.begin());
    return datagram;
  }

  void send(const Endpoint& to, std::uint8_t number) {
    outbox.push_back({{}, to, ByteVector{std::byte{number}}});
  }

  std::vector<Received> received;
  std::vector<SimDatagram> outbox;
  std::optional<TimePoint> timer;
  std::optional<TimePoint> fired;
};

std::vector<Recorder::Received> run_with_faults(std::uint64_t seed) {
  Sim net(seed, {.delay = 5ms, .jitter = 20ms, .loss = 0.3, .duplication = 0.2});
  Recorder alice;
  Recorder bob;
  net.attach(kAlice, alice);
  net.attach(kBob, bob);
  for (int i = 0; i < 200; ++i) alice.send(kBob, static_cast<std::uint8_t>(i));
  net.run_for(1s);
  return bob.received;
}

TEST(Sim, DeliversAfterTheDelayOfTheLink) {
  Sim net(1, {.delay = 40ms});
  Recorder alice;
  Recorder bob;
  net.attach(kAlice, alice);
  net.attach(kBob, bob);
  const TimePoint start = net.now();
  alice.send(kBob, 7);
  ASSERT_TRUE(net.run_until(1s, [&] { return !bob.received.empty(); }));
  EXPECT_EQ(bob.received[0].at, start + 40ms);
  EXPECT_EQ(bob.received[0].from, kAlice);
  EXPECT_EQ(bob.received[0].bytes, ByteVector{std::byte{7}});
}

TEST(Sim, RunsTheSameForTheSameSeedAndAnotherForAnother) {
  EXPECT_EQ(run_with_faults(42), run_with_faults(42));
  EXPECT_NE(run_with_faults(42), run_with_faults(43));
}

TEST(Sim, LosesDuplicatesAndReorders) {
  const auto received = run_with_faults(42);
  EXPECT_GT(received.size(), 100U);
  EXPECT_LT(received.size(), 220U);
  const auto earlier_byte = [](const auto& a, const auto& b) { return a.bytes < b.bytes; };
  EXPECT_FALSE(std::is_sorted(received.begin(), received.end(), earlier_byte));
}

TEST(Sim, FiresTimersOnTimeAndLateAfterSleep) {
  Sim net(1);
  Recorder alice;
  net.attach(kAlice, alice);
  const TimePoint start = net.now();
  alice.timer = start + 3s;
  net.run_for(10s);
  EXPECT_EQ(alice.fired, start + 3s);

  alice.timer = net.now() + 1s;
  net.suspend(kAlice, 60s);
  net.run_for(100s);
  EXPECT_EQ(alice.fired, start + 70s);
}

TEST(Sim, LosesWhatReachesNobodyOrASleeper) {
  Sim net(1);
  Recorder alice;
  Recorder bob;
  net.attach(kAlice, alice);
  net.attach(kBob, bob);
  net.suspend(kBob, 1s);
  alice.send(kBob, 1);
  alice.send(kElsewhere, 2);
  net.run_for(2s);
  EXPECT_EQ(net.counters().lost, 2U);
  alice.send(kBob, 3);
  net.run_for(1s);
  ASSERT_EQ(bob.received.size(), 1U);
}

TEST(Sim, MovesAHostToAnotherAddress) {
  Sim net(1);
  Recorder alice;
  Recorder bob;
  net.attach(kAlice, alice);
  net.attach(kBob, bob);
  net.move(kAlice, kElsewhere);
  alice.send(kBob, 1);
  net.run_for(1s);
  ASSERT_EQ(bob.received.size(), 1U);
  EXPECT_EQ(bob.received[0].from, kElsewhere);
}

TEST(Sim, FiltersAndInjects) {
  Sim net(1);
  Recorder alice;
  Recorder bob;
  net.attach(kAlice, alice);
  net.attach(kBob, bob);
  std::vector<SimDatagram> seen;
  net.set_filter([&](TimePoint, const SimDatagram& datagram) {
    seen.push_back(datagram);
    return false;
  });
  alice.send(kBob, 1);
  net.run_for(1s);
  EXPECT_TRUE(bob.received.empty());
  ASSERT_EQ(seen.size(), 1U);
  net.inject(seen[0]);
  net.run_for(1s);
  EXPECT_EQ(bob.received.size(), 1U);
}

}  // namespace
}  // namespace trellis::testing
