#pragma once

#include <array>
#include <cstdint>

namespace trellis::wireguard {

/// Tells counters that were seen from those that were not, among the latest kSize ones; older ones
/// count as seen. A ring of words, so that moving on costs only the words that become new. [RFC
/// 6479]
class ReplayWindow {
 public:
  static constexpr std::uint64_t kSize = 8192;

  bool would_accept(std::uint64_t counter) const {
    if (counter > greatest_ || empty_) return true;
    if (greatest_ - counter >= kSize) return false;
    return (word(counter) & bit(counter)) == 0;
  }

  /// To be asked `would_accept` first. True if the counter is the greatest so far.
  bool accept(std::uint64_t counter) {
    const bool greatest = empty_ || counter > greatest_;
    if (greatest) {
      advance(counter);
      greatest_ = counter;
      empty_ = false;
    }
    words_[index(counter)] |= bit(counter);
    return greatest;
  }

 private:
  static constexpr std::uint64_t kWordBits = 64;
  // One word more than the window, so that the word being filled never overlaps its tail.
  static constexpr std::uint64_t kWords = kSize / kWordBits + 1;

  static std::uint64_t index(std::uint64_t counter) { return counter / kWordBits % kWords; }
  static std::uint64_t bit(std::uint64_t counter) {
    return std::uint64_t{1} << (counter % kWordBits);
  }
  std::uint64_t word(std::uint64_t counter) const { return words_[index(counter)]; }

  /// Clears the words between the greatest counter so far and a greater one.
  void advance(std::uint64_t counter) {
    std::uint64_t block = greatest_ / kWordBits;
    const std::uint64_t last = counter / kWordBits;
    if (last - block > kWords) block = last - kWords;
    while (block < last) words_[++block % kWords] = 0;
  }

  bool empty_ = true;
  std::uint64_t greatest_ = 0;
  std::array<std::uint64_t, kWords> words_{};
};

}  // namespace trellis::wireguard
