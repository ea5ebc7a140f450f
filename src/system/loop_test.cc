#include "system/loop.h"

#include "system/clock.h"
#include "system/descriptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>

namespace trellis::system {
namespace {

class LoopTest : public ::testing::Test {
 protected:
  LoopTest() : loop_(Loop::create().value()) {
    // No test hangs.
    patience_ = loop_
                    ->timer([this] {
                      ADD_FAILURE() << "nothing happened for 10 s";
                      loop_->stop();
                    })
                    .value();
    patience_.arm(boot_now() + 10s);
    std::array<int, 2> ends{};
    CHECK(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) == 0);
    read_end_ = Descriptor(ends[0]);
    write_end_ = Descriptor(ends[1]);
  }

  void put() { CHECK(::write(write_end_.get(), "x", 1) == 1); }
  bool take() {
    char c = 0;
    return ::read(read_end_.get(), &c, 1) == 1;
  }

  std::unique_ptr<Loop> loop_;
  Timer patience_;
  Descriptor read_end_;
  Descriptor write_end_;
};

TEST_F(LoopTest, CallsBackAsLongAsADescriptorIsReadable) {
  put();
  put();
  put();
  int calls = 0;
  Watch watch = loop_
                    ->watch(read_end_.get(), Ready::Read,
                            [&] {
                              ++calls;
                              EXPECT_TRUE(take());
                              if (calls == 3) loop_->stop();
                            })
                    .value();
  loop_->run();
  EXPECT_EQ(calls, 3);
  EXPECT_FALSE(take());
}

TEST_F(LoopTest, AWatchDestroyedInItsOwnCallbackIsSilent) {
  put();
  int calls = 0;
  Watch watch;
  watch = loop_
              ->watch(read_end_.get(), Ready::Read,
                      [&] {
                        ++calls;
                        watch.reset();
                        loop_->post([&] { loop_->post([&] { loop_->stop(); }); });
                      })
              .value();
  loop_->run();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(take());  // the descriptor is still ours and open
}

TEST_F(LoopTest, ADescriptorCanBeWatchedAgain) {
  int calls = 0;
  for (int round = 1; round <= 3; ++round) {
    put();
    const Watch watch = loop_
                            ->watch(read_end_.get(), Ready::Read,
                                    [&] {
                                      take();
                                      ++calls;
                                      loop_->stop();
                                    })
                            .value();
    loop_->run();
    EXPECT_EQ(calls, round);
  }
}

TEST_F(LoopTest, AFullPipeBecomesWritable) {
  const std::array<char, 4096> page{};
  while (::write(write_end_.get(), page.data(), page.size()) > 0) {
  }
  bool drained = false;
  const Watch writable = loop_
                             ->watch(write_end_.get(), Ready::Write,
                                     [&] {
                                       EXPECT_TRUE(drained);
                                       loop_->stop();
                                     })
                             .value();
  std::array<char, 65536> all;
  auto later = loop_
                   ->timer([&] {
                     drained = true;
                     while (::read(read_end_.get(), all.data(), all.size()) > 0) {
                     }
                   })
                   .value();
  later.arm(boot_now() + 20ms);
  loop_->run();
  EXPECT_TRUE(drained);
}

TEST_F(LoopTest, ATimerFiresOnceAndNotBeforeItsDeadline) {
  int calls = 0;
  const TimePoint deadline = boot_now() + 30ms;
  auto timer = loop_
                   ->timer([&] {
                     ++calls;
                     EXPECT_GE(boot_now(), deadline);
                   })
                   .value();
  timer.arm(deadline);
  auto end = loop_->timer([&] { loop_->stop(); }).value();
  end.arm(deadline + 50ms);
  loop_->run();
  EXPECT_EQ(calls, 1);
}

TEST_F(LoopTest, APastDeadlineFiresAtOnceAndADisarmedOneNever) {
  bool disarmed_fired = false;
  auto disarmed = loop_->timer([&] { disarmed_fired = true; }).value();
  disarmed.arm(boot_now() + 1ms);
  disarmed.disarm();
  disarmed.disarm();  // harmless
  auto past = loop_->timer([&] { loop_->stop(); }).value();
  past.arm(TimePoint{});
  loop_->run();
  auto end = loop_->timer([&] { loop_->stop(); }).value();
  end.arm(boot_now() + 20ms);
  loop_->run();
  EXPECT_FALSE(disarmed_fired);
}

TEST_F(LoopTest, ATimerCanBeArmedAndDestroyedInItsCallback) {
  int calls = 0;
  std::optional<Timer> timer;
  timer = loop_
              ->timer([&] {
                if (++calls < 3) {
                  timer->arm(boot_now());
                  return;
                }
                timer.reset();
                loop_->stop();
              })
              .value();
  timer->arm(boot_now());
  loop_->run();
  EXPECT_EQ(calls, 3);
}

TEST_F(LoopTest, TasksComeFromOtherThreads) {
  const auto own = std::this_thread::get_id();
  int calls = 0;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) {
      loop_->post([&] {
        EXPECT_EQ(std::this_thread::get_id(), own);
        if (++calls == 100) loop_->stop();
      });
    }
  });
  loop_->run();
  other.join();
  EXPECT_EQ(calls, 100);
}

TEST_F(LoopTest, StopBeforeRunIsNotLost) {
  loop_->stop();
  loop_->run();
}

TEST_F(LoopTest, SignalsBecomeCallbacks) {
  std::vector<int> seen;
  {
    const Watch watch = loop_
                            ->on_signals({SIGHUP, SIGTERM},
                                         [&](int signal) {
                                           seen.push_back(signal);
                                           if (signal == SIGTERM) loop_->stop();
                                         })
                            .value();
    ::raise(SIGHUP);
    loop_->post([] { ::raise(SIGTERM); });
    loop_->run();
  }
  EXPECT_EQ(seen, (std::vector<int>{SIGHUP, SIGTERM}));
}

TEST_F(LoopTest, WhatIsNoDescriptorIsAnError) {
  EXPECT_FALSE(loop_->watch(-1, Ready::Read, [] {}));
}

}  // namespace
}  // namespace trellis::system
