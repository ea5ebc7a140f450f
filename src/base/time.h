#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace trellis {

/// CLOCK_BOOTTIME: time asleep counts, so an expired key is expired after a suspend. Never read in
/// pure code; `now` is always an argument. [pair rule 8]
struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
};
using TimePoint = BootClock::time_point;
using Duration = BootClock::duration;
using namespace std::chrono_literals;

/// The wall clock, which may be wrong and may jump. Nanoseconds since 1970, UTC.
struct WallTime {
  std::int64_t nanoseconds_since_epoch = 0;
  friend auto operator<=>(const WallTime&, const WallTime&) = default;
};

/// The earlier of two deadlines; none is later than any.
inline std::optional<TimePoint> earlier(std::optional<TimePoint> a, std::optional<TimePoint> b) {
  if (!a) return b;
  if (!b) return a;
  return std::min(*a, *b);
}

/// One optional deadline for each enumerator of `Timer`, whose last one is `kCount`.
template <class Timer>
class TimerTable {
 public:
  void arm(Timer timer, TimePoint deadline) { slot(timer) = deadline; }
  void disarm(Timer timer) { slot(timer).reset(); }
  void disarm_all() { deadlines_ = {}; }
  bool armed(Timer timer) const { return deadlines_[index(timer)].has_value(); }
  std::optional<TimePoint> deadline(Timer timer) const { return deadlines_[index(timer)]; }

  std::optional<TimePoint> next() const {
    std::optional<TimePoint> first;
    for (const auto& deadline : deadlines_) first = earlier(first, deadline);
    return first;
  }

  /// Disarms and returns the timer that was due first, if one is due.
  std::optional<Timer> pop_due(TimePoint now) {
    std::optional<std::size_t> due;
    for (std::size_t i = 0; i < kSize; ++i) {
      const auto& deadline = deadlines_[i];
      if (!deadline || *deadline > now) continue;
      if (!due || *deadline < *deadlines_[*due]) due = i;
    }
    if (!due) return std::nullopt;
    deadlines_[*due].reset();
    return static_cast<Timer>(*due);
  }

 private:
  static constexpr std::size_t kSize = static_cast<std::size_t>(Timer::kCount);
  static constexpr std::size_t index(Timer timer) { return static_cast<std::size_t>(timer); }
  std::optional<TimePoint>& slot(Timer timer) { return deadlines_[index(timer)]; }

  std::array<std::optional<TimePoint>, kSize> deadlines_;
};

}  // namespace trellis
