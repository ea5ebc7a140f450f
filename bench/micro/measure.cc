#include "measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace trellis::bench {
namespace {

constexpr double kRoundNanoseconds = 4e6;
constexpr std::size_t kRounds = 31;

double thread_nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
}

double round_of(const std::function<void()>& work, std::size_t calls) {
  const double start = thread_nanoseconds();
  for (std::size_t i = 0; i < calls; ++i) work();
  return thread_nanoseconds() - start;
}

}  // namespace

Cost measure(const std::function<void()>& work) {
  std::size_t calls = 1;
  double spent = round_of(work, calls);
  while (spent < kRoundNanoseconds / 4) {
    calls *= 2;
    spent = round_of(work, calls);
  }
  calls = static_cast<std::size_t>(static_cast<double>(calls) * kRoundNanoseconds / spent) + 1;
  std::array<double, kRounds> rounds;
  for (double& each : rounds) each = round_of(work, calls) / static_cast<double>(calls);
  std::ranges::sort(rounds);
  return {rounds[kRounds / 2], rounds.front()};
}

void Report::section(std::string_view title, std::string_view extra) {
  heading_ = fmt::format("\n{:<52} {:>12} {:>12} {:>16}\n", title, "ns, median", "ns, best", extra);
}

void Report::line(const std::string& title, std::size_t times, const std::function<void()>& work,
                  const std::function<std::string(double)>& extra) {
  if (!wants(title)) return;
  if (!heading_.empty()) fmt::print("{}", heading_);
  heading_.clear();
  const Cost cost = measure(work);
  const double each = cost.median / static_cast<double>(times);
  fmt::print("{:<52} {:>12.1f} {:>12.1f} {:>16}\n", title, each,
             cost.best / static_cast<double>(times), extra ? extra(each) : "");
  std::fflush(stdout);
}

}  // namespace trellis::bench
