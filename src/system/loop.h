#pragma once

#include "base/result.h"
#include "base/time.h"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>

namespace trellis::system {

/// What a watch waits for.
enum class Ready : std::uint8_t { Read, Write };

/// A registration with a Loop. When it is destroyed (in its own callback, too), its callback is
/// called no more. Must not outlive the loop.
class Watch {
 public:
  struct State;
  Watch() = default;
  explicit Watch(std::shared_ptr<State> state);
  Watch(Watch&&) noexcept = default;
  Watch& operator=(Watch&& other) noexcept;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();

  bool active() const { return state_ != nullptr; }
  void reset();

 private:
  // Shared with the completion that is under way when the watch is destroyed.
  std::shared_ptr<State> state_;
};

/// Waits for both directions of one descriptor, each only when asked to. When it is destroyed (in
/// its own callback, too), its callback is called no more. Must not outlive the loop.
class DuplexWatch {
 public:
  struct State;
  DuplexWatch() = default;
  explicit DuplexWatch(std::shared_ptr<State> state);
  DuplexWatch(DuplexWatch&&) noexcept = default;
  DuplexWatch& operator=(DuplexWatch&& other) noexcept;
  DuplexWatch(const DuplexWatch&) = delete;
  DuplexWatch& operator=(const DuplexWatch&) = delete;
  ~DuplexWatch();

  /// Calls back once when the descriptor is ready. If it waits for that already, nothing changes.
  void wait(Ready ready);
  void reset();

 private:
  std::shared_ptr<State> state_;
};

/// One deadline on CLOCK_BOOTTIME: a deadline that passed during a suspend is due at wake-up.
/// Destroyed or disarmed, its callback is called no more. Must not outlive the loop.
class Timer {
 public:
  Timer();
  Timer(Timer&&) noexcept;
  Timer& operator=(Timer&&) noexcept;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  /// Calls back once, at or after the deadline; replaces an earlier arm().
  void arm(TimePoint deadline);
  void disarm();
  /// What engines hand out: arm, or disarm if there is none.
  void arm(std::optional<TimePoint> deadline) { deadline ? arm(*deadline) : disarm(); }

 private:
  friend class Loop;
  struct State;
  explicit Timer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The event loop of one thread. All callbacks run inside run(), one after the other; only post()
/// and stop() may be called by other threads.
class Loop {
 public:
  static Result<std::unique_ptr<Loop>> create();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  /// Calls back again and again while `descriptor` is ready (errors and hang-ups count as ready).
  /// The descriptor stays the caller's, and must stay open as long as the watch exists. At most one
  /// watch for each descriptor; watch a dup() for a second one.
  Result<Watch> watch(int descriptor, Ready ready, std::function<void()> callback);

  /// For a descriptor that is read and written. Nothing is waited for at first; the rest is as in
  /// watch().
  Result<DuplexWatch> watch_both(int descriptor, std::function<void(Ready)> callback);

  Result<Timer> timer(std::function<void()> callback);

  /// Takes over these signals for the process: they no longer end it. Call before threads start.
  Result<Watch> on_signals(std::initializer_list<int> signals, std::function<void(int)> callback);

  /// Runs `task` in the loop, later. Thread safe.
  void post(std::function<void()> task);

  /// Runs until stop(). What is still queued then runs in the next run(), or never.
  void run();
  /// Ends the run(), or the next one if none is under way. Thread safe.
  void stop();

 private:
  struct Context;
  explicit Loop(std::unique_ptr<Context> context);
  std::unique_ptr<Context> context_;
};

}  // namespace trellis::system
