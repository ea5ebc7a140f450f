#include "measure.h"
#include "protocol/ip/checksum.h"

#include <fmt/format.h>

#include <cstring>

namespace trellis::bench {

void measure_checksums(Report& report) {
  report.section("Internet checksum", "");
  for (const std::size_t size : {40U, 1400U, 9000U, 65000U}) {
    const auto rate = [size](double ns) {
      return fmt::format("{:.1f} GB/s", static_cast<double>(size) / ns);
    };
    const ByteVector bytes(size, std::byte{7});
    ByteVector target(size);
    report.line(
        fmt::format("checksum: {} B", size), 1,
        [&] { keep(ip::InternetSum().add(bytes).folded()); }, rate);
    report.line(
        fmt::format("memcpy, to compare: {} B", size), 1,
        [&] {
          std::memcpy(target.data(), bytes.data(), size);
          keep(target.data());
        },
        rate);
  }
}

}  // namespace trellis::bench
