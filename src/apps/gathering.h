#pragma once

#include "base/time.h"

#include <cstddef>

namespace trellis::apps {

/// When to wait for more packets of a stream before they are read.
///
/// A stream of small packets wakes its reader for two or three of them, and each wake-up, here and
/// at the other end, costs more than they do. So they are let gather, as network cards do before
/// they interrupt; but only while packets go one way, in streams that would be late by a fraction
/// of what they last: whoever awaits an answer is never kept waiting.
class Gathering {
 public:
  static constexpr Duration kWait = 200us;

  /// So many packets were there to be read.
  void note_read(TimePoint now, std::size_t packets) {
    if (reads_ == 0) began_ = now;
    ++reads_;
    packets_ += packets;
    if (reads_ < kWindow) return;
    stream_ = now - began_ < kWindow * kPauseMax && packets_ >= kWindow * kPacketsMin &&
              packets_ <= kWindow * kPacketsMax;
    reads_ = 0;
    packets_ = 0;
  }
  /// A packet came from the other side.
  void note_received() {
    stream_ = false;
    reads_ = 0;
    packets_ = 0;
  }

  bool should_wait() const { return stream_; }

 private:
  static constexpr std::size_t kWindow = 64;  // reads, of which the mean counts
  static constexpr Duration kPauseMax = 500us;
  static constexpr std::size_t kPacketsMin = 2;
  static constexpr std::size_t kPacketsMax = 16;  // who has more at once is awake enough

  TimePoint began_{};
  std::size_t reads_ = 0;
  std::size_t packets_ = 0;
  bool stream_ = false;
};

}  // namespace trellis::apps
