#pragma once

// How long a piece of code takes, as lines of a table.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::bench {

/// Nanoseconds of this thread's CPU time for each call.
struct Cost {
  double median;
  double best;
};

/// Calls `work` until a round takes some milliseconds, then for so many rounds.
Cost measure(const std::function<void()>& work);

/// Keeps the compiler from leaving out what nobody reads.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

/// Lines of the chosen benchmarks, printed as they come.
class Report {
 public:
  /// Only lines that contain `filter` are measured.
  explicit Report(std::string filter) : filter_(std::move(filter)) {}

  /// The heading of what follows, and what the last column is.
  void section(std::string_view title, std::string_view extra);
  bool wants(std::string_view line) const { return line.find(filter_) != std::string_view::npos; }
  /// Measures `work`, which does the thing so many times a call. `extra` makes the last column of
  /// the median nanoseconds of one.
  void line(const std::string& title, std::size_t times, const std::function<void()>& work,
            const std::function<std::string(double)>& extra = {});

 private:
  std::string filter_;
  std::string heading_;
};

void measure_packets(Report& report);
void measure_routing(Report& report);
void measure_replay(Report& report);
void measure_handshakes(Report& report);
void measure_checksums(Report& report);

}  // namespace trellis::bench
