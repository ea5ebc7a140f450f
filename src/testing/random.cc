#include "testing/random.h"

#include "base/result.h"

namespace trellis::testing {

std::uint64_t SeededRandom::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

void SeededRandom::fill(MutableByteView target) {
  while (!target.empty()) {
    const std::uint64_t word = next();
    const std::size_t n = std::min(target.size(), sizeof word);
    std::memcpy(target.data(), &word, n);
    target = target.subspan(n);
  }
}

void ScriptedRandom::fill(MutableByteView target) {
  for (std::byte& b : target) {
    CHECK(!script_.empty());
    b = script_.front();
    script_.pop_front();
  }
}

}  // namespace trellis::testing
