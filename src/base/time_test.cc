#include "base/time.h"

#include <gtest/gtest.h>

namespace trellis {
namespace {

enum class Timer { Retry, Expire, Keepalive, kCount };

constexpr TimePoint at(Duration since) { return TimePoint(since); }

TEST(Earlier, TakesNoneForLaterThanAny) {
  EXPECT_EQ(earlier(std::nullopt, std::nullopt), std::nullopt);
  EXPECT_EQ(earlier(at(5s), std::nullopt), at(5s));
  EXPECT_EQ(earlier(std::nullopt, at(5s)), at(5s));
  EXPECT_EQ(earlier(at(5s), at(4s)), at(4s));
  EXPECT_EQ(earlier(at(4s), at(5s)), at(4s));
}

TEST(TimerTable, PopsWhatIsDueInTheOrderOfDeadlines) {
  TimerTable<Timer> timers;
  EXPECT_EQ(timers.next(), std::nullopt);
  EXPECT_EQ(timers.pop_due(at(1h)), std::nullopt);
  timers.arm(Timer::Retry, at(30s));
  timers.arm(Timer::Expire, at(10s));
  timers.arm(Timer::Keepalive, at(20s));
  EXPECT_EQ(timers.next(), at(10s));
  EXPECT_EQ(timers.pop_due(at(10s) - 1ns), std::nullopt);
  EXPECT_EQ(timers.pop_due(at(20s)), Timer::Expire) << "due at its deadline, not after";
  EXPECT_FALSE(timers.armed(Timer::Expire));
  EXPECT_EQ(timers.pop_due(at(20s)), Timer::Keepalive);
  EXPECT_EQ(timers.pop_due(at(20s)), std::nullopt);
  EXPECT_EQ(timers.next(), at(30s));
}

TEST(TimerTable, RearmsAndDisarms) {
  TimerTable<Timer> timers;
  timers.arm(Timer::Retry, at(10s));
  timers.arm(Timer::Retry, at(40s));
  EXPECT_EQ(timers.deadline(Timer::Retry), at(40s));
  EXPECT_EQ(timers.pop_due(at(20s)), std::nullopt);
  timers.disarm(Timer::Retry);
  EXPECT_FALSE(timers.armed(Timer::Retry));
  EXPECT_EQ(timers.deadline(Timer::Retry), std::nullopt);
  timers.arm(Timer::Retry, at(1s));
  timers.arm(Timer::Expire, at(1s));
  timers.disarm_all();
  EXPECT_EQ(timers.pop_due(at(1h)), std::nullopt);
}

TEST(TimerTable, KeepsATimerThatIsArmedWhileItsHandlerRuns) {
  TimerTable<Timer> timers;
  timers.arm(Timer::Retry, at(10s));
  int runs = 0;
  while (const auto timer = timers.pop_due(at(25s))) {
    timers.arm(*timer, at(10s) + ++runs * 10s);
  }
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(timers.next(), at(30s));
}

}  // namespace
}  // namespace trellis
