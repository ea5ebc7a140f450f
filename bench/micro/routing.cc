#include "measure.h"
#include "protocol/wireguard/allowed_ips.h"
#include "testing/random.h"

#include <fmt/format.h>

namespace trellis::bench {
namespace {

using testing::SeededRandom;
using wireguard::AllowedIps;
using wireguard::PeerId;

struct Kind {
  const char* name;
  Bytes<16> network;
  bool v4;
  std::uint8_t network_bits;
  std::uint8_t shortest;  // lengths of prefixes
  std::uint8_t longest;
};

/// Bits behind the network's are random.
IpAddress some_address(const Kind& kind, SeededRandom& random) {
  Bytes<16> bytes;
  random.fill(bytes);
  for (std::size_t i = 0; i < kind.network_bits / 8U; ++i) bytes[i] = kind.network[i];
  return kind.v4 ? IpAddress::v4(to_array<4>(bytes)) : IpAddress::v6(bytes);
}

struct Filled {
  AllowedIps table;
  std::vector<IpAddress> inside;
  std::vector<Prefix> prefixes;
};

Filled fill(const Kind& kind, std::size_t count) {
  Filled filled;
  SeededRandom random(count);
  for (std::size_t i = 0; i < count; ++i) {
    const IpAddress address = some_address(kind, random);
    const std::size_t lengths = kind.longest - kind.shortest + 1U;
    const Prefix prefix(address, static_cast<std::uint8_t>(kind.shortest + random.below(lengths)));
    filled.table.insert(prefix, PeerId{static_cast<std::uint32_t>(i)});
    filled.prefixes.push_back(prefix);
    filled.inside.push_back(address);
  }
  // Not in the order in which they came into the table.
  for (std::size_t i = count; i > 1; --i) {
    std::swap(filled.inside[i - 1], filled.inside[random.below(i)]);
  }
  filled.inside.resize(std::min<std::size_t>(count, 50'000));
  return filled;
}

void measure_table(Report& report, const Kind& kind, std::size_t count) {
  const std::string title = fmt::format("route: {}, {} prefixes", kind.name, count);
  if (!report.wants(title)) return;
  const Filled filled = fill(kind, count);
  report.line(title, filled.inside.size(), [&filled] {
    for (const IpAddress& address : filled.inside) keep(filled.table.find(address));
  });
}

void measure_changes(Report& report, const Kind& kind, std::size_t count) {
  const std::string title = fmt::format("change: {}, {} prefixes", kind.name, count);
  if (!report.wants(title)) return;
  Filled filled = fill(kind, count);
  std::size_t next = 0;
  report.line(title, 1, [&] {
    const PeerId peer{static_cast<std::uint32_t>(next)};
    filled.table.remove_all(peer);
    filled.table.insert(filled.prefixes[next], peer);
    next = (next + 1) % filled.prefixes.size();
  });
}

}  // namespace

void measure_routing(Report& report) {
  const Bytes<16> ula{std::byte{0xfd}, std::byte{1}, std::byte{2}, std::byte{3},
                      std::byte{4},    std::byte{5}, std::byte{6}, std::byte{7}};
  const Kind kinds[] = {
      {"IPv4 hosts of 100.0.0.0/8", {std::byte{100}}, true, 8, 32, 32},
      {"IPv4 networks of 8 to 30 bits", {}, true, 0, 8, 30},
      {"IPv6 hosts of one /64", ula, false, 64, 128, 128},
      {"IPv6 networks of 20 to 64 bits", {}, false, 0, 20, 64},
  };
  report.section("cryptokey routing: a lookup", "");
  for (const Kind& kind : kinds) {
    for (const std::size_t count : {10U, 1'000U, 100'000U}) measure_table(report, kind, count);
  }
  report.section("cryptokey routing: a peer's prefix anew", "");
  for (const Kind& kind : kinds) {
    for (const std::size_t count : {1'000U, 100'000U}) measure_changes(report, kind, count);
  }
}

}  // namespace trellis::bench
