#pragma once

#include "base/random.h"

#include <deque>

namespace trellis::testing {

/// Randomness from a seed (splitmix64): the same seed, the same run. For tests only.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(MutableByteView target) override;

 private:
  std::uint64_t next();
  std::uint64_t state_;
};

/// Hands out given bytes in order, then fails: for known answers.
class ScriptedRandom final : public Random {
 public:
  void push(ByteView bytes) { script_.insert(script_.end(), bytes.begin(), bytes.end()); }
  void fill(MutableByteView target) override;
  bool exhausted() const { return script_.empty(); }

 private:
  std::deque<std::byte> script_;
};

}  // namespace trellis::testing
