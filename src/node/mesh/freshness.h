#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <deque>

namespace trellis::mesh {

/// Tells new offers of a peer from those that the server, or who sits in its place, kept and sends
/// again: their boxes open just as well.
///
/// Each start of an agent has an instance of its own, and counts its offers. An instance that
/// another one followed does not come back. What was recorded before we started ourselves is new
/// to us, once.
class Freshness {
 public:
  static constexpr std::size_t kInstancesMax = 32;
  enum class Verdict : std::uint8_t {
    Stale,      // heard before, or older than what was
    Next,       // of the start that we know
    Restarted,  // the first that we hear of this start
  };

  Verdict take(const Bytes<16>& instance, std::uint32_t sequence);

 private:
  struct Start {
    Bytes<16> instance;
    std::uint32_t sequence;  // of its last offer
  };
  std::deque<Start> starts_;  // the newest first
};

}  // namespace trellis::mesh
