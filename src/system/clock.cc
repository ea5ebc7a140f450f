#include "system/clock.h"

#include "base/result.h"

#include <ctime>

namespace trellis::system {
namespace {

std::int64_t nanoseconds_of(clockid_t clock) {
  timespec now{};
  CHECK(::clock_gettime(clock, &now) == 0);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

TimePoint boot_now() { return TimePoint(Duration(nanoseconds_of(CLOCK_BOOTTIME))); }

WallTime wall_now() { return WallTime{nanoseconds_of(CLOCK_REALTIME)}; }

}  // namespace trellis::system
