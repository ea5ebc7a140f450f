#include "measure.h"
#include "protocol/wireguard/replay_window.h"
#include "testing/random.h"

#include <algorithm>
#include <memory>
#include <numeric>

namespace trellis::bench {

void measure_replay(Report& report) {
  constexpr std::size_t kPackets = 4096;
  report.section("replay window: a packet asked for and accepted", "");
  wireguard::ReplayWindow window;
  std::uint64_t base = 0;
  const auto pass = [&](const std::vector<std::uint64_t>& order) {
    for (const std::uint64_t offset : order) {
      if (window.would_accept(base + offset)) window.accept(base + offset);
    }
    base += kPackets;
    keep(window);
  };
  std::vector<std::uint64_t> order(kPackets);
  std::iota(order.begin(), order.end(), 0);
  report.line("replay: in order", kPackets, [&] { pass(order); });
  testing::SeededRandom random(1);
  for (std::size_t i = 0; i + 64 <= kPackets; i += 64) {  // each among 64 neighbours
    for (std::size_t j = 63; j > 0; --j) std::swap(order[i + j], order[i + random.below(j + 1)]);
  }
  report.line("replay: out of order by up to 64", kPackets, [&] { pass(order); });
  report.line("replay: seen before", kPackets, [&] {
    for (const std::uint64_t offset : order) keep(window.would_accept(base - kPackets + offset));
  });
}

}  // namespace trellis::bench
