#include "protocol/wireguard/allowed_ips.h"

#include "testing/random.h"

#include <gmock/gmock.h>

#include <map>

namespace trellis::wireguard {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

Prefix prefix(std::string_view text) { return *Prefix::parse(text); }
IpAddress address(std::string_view text) { return *IpAddress::parse(text); }
constexpr PeerId kA{1};
constexpr PeerId kB{2};
constexpr PeerId kC{3};

TEST(AllowedIps, FindsTheLongestPrefix) {
  AllowedIps table;
  table.insert(prefix("0.0.0.0/0"), kA);
  table.insert(prefix("10.0.0.0/8"), kB);
  table.insert(prefix("10.1.0.0/16"), kC);
  table.insert(prefix("10.1.2.3/32"), kA);
  table.insert(prefix("fd00::/8"), kB);
  struct Case {
    const char* address;
    std::optional<PeerId> peer;
  };
  const Case cases[] = {
      {"192.0.2.1", kA},    {"10.9.9.9", kB}, {"10.1.9.9", kC},
      {"10.1.2.3", kA},     {"fd12::1", kB},  {"fe80::1", std::nullopt},
      {"::", std::nullopt}, {"0.0.0.0", kA},  {"255.255.255.255", kA},
  };
  for (const Case& c : cases) EXPECT_EQ(table.find(address(c.address)), c.peer) << c.address;
}

TEST(AllowedIps, MovesAPrefixFromOnePeerToAnother) {
  AllowedIps table;
  table.insert(prefix("10.0.0.0/24"), kA);
  table.insert(prefix("10.0.0.0/24"), kB);
  EXPECT_EQ(table.find(address("10.0.0.1")), kB);
  EXPECT_THAT(table.prefixes(kA), IsEmpty());
  EXPECT_THAT(table.prefixes(kB), ElementsAre(prefix("10.0.0.0/24")));
  table.remove(prefix("10.0.0.0/24"), kA);  // not his any more
  EXPECT_EQ(table.find(address("10.0.0.1")), kB);
}

TEST(AllowedIps, ListsInOrderV4First) {
  AllowedIps table;
  for (const char* text :
       {"fd00::2/128", "10.2.0.0/16", "10.0.0.0/8", "fd00::1/128", "9.0.0.0/8"}) {
    table.insert(prefix(text), kA);
  }
  EXPECT_THAT(table.prefixes(kA),
              ElementsAre(prefix("9.0.0.0/8"), prefix("10.0.0.0/8"), prefix("10.2.0.0/16"),
                          prefix("fd00::1/128"), prefix("fd00::2/128")));
}

/// The same by trying every prefix.
class SlowTable {
 public:
  void insert(const Prefix& prefix, PeerId peer) { entries_[prefix] = peer; }
  void remove(const Prefix& prefix, PeerId peer) {
    const auto found = entries_.find(prefix);
    if (found != entries_.end() && found->second == peer) entries_.erase(found);
  }
  void remove_all(PeerId peer) {
    std::erase_if(entries_, [peer](const auto& entry) { return entry.second == peer; });
  }
  std::optional<PeerId> find(const IpAddress& address) const {
    std::optional<PeerId> best;
    int length = -1;
    for (const auto& [prefix, peer] : entries_) {
      if (!prefix.contains(address) || prefix.length() <= length) continue;
      best = peer;
      length = prefix.length();
    }
    return best;
  }
  std::vector<Prefix> prefixes(PeerId peer) const {
    std::vector<Prefix> result;
    for (const auto& [prefix, owner] : entries_) {
      if (owner == peer) result.push_back(prefix);
    }
    return result;
  }

 private:
  std::map<Prefix, PeerId> entries_;
};

TEST(AllowedIps, AgreesWithASlowTableThroughRandomChanges) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    trellis::testing::SeededRandom random(seed);
    // Few different bits, so that prefixes nest and collide.
    const auto random_address = [&] {
      Bytes<16> bytes{};
      const bool v4 = random.below(2) == 0;
      for (int i = 0; i < 4; ++i) {
        if (random.below(2) == 0)
          bytes[random.below(v4 ? 4 : 16)] |= std::byte(1 << random.below(8));
      }
      return v4 ? IpAddress::v4(to_array<4>(bytes)) : IpAddress::v6(bytes);
    };
    AllowedIps table;
    SlowTable slow;
    for (int i = 0; i < 600; ++i) {
      const IpAddress at = random_address();
      const Prefix chosen(at, static_cast<std::uint8_t>(random.below(at.bits() + 1U)));
      const PeerId peer{static_cast<std::uint32_t>(random.below(5))};
      switch (random.below(16)) {
        case 0:
          table.remove_all(peer), slow.remove_all(peer);
          break;
        case 1:
        case 2:
        case 3:
        case 4:
          table.remove(chosen, peer), slow.remove(chosen, peer);
          break;
        default:
          table.insert(chosen, peer), slow.insert(chosen, peer);
          break;
      }
      const IpAddress asked = random_address();
      ASSERT_EQ(table.find(asked), slow.find(asked)) << asked.to_string();
      ASSERT_EQ(table.find(at), slow.find(at)) << at.to_string();
      ASSERT_THAT(table.prefixes(peer), UnorderedElementsAreArray(slow.prefixes(peer)));
    }
  }
}

/// An address that shares any number of leading bits with the first one.
IpAddress neighbour_of(const IpAddress& first, trellis::testing::SeededRandom& random) {
  ByteVector bytes = to_vector(first.bytes());
  const std::size_t shared = random.below(first.bits() + 1U);
  for (std::size_t bit = shared; bit < first.bits(); ++bit) {
    if (random.below(2) == 0) bytes[bit / 8] ^= std::byte{0x80} >> (bit % 8);
  }
  return IpAddress::from_bytes(bytes);
}

TEST(AllowedIps, AgreesWithASlowTableOnLongPrefixesBesideEachOther) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    SCOPED_TRACE(seed);
    trellis::testing::SeededRandom random(seed);
    AllowedIps table;
    SlowTable slow;
    std::vector<Prefix> held;
    IpAddress last = seed % 2 == 0 ? address("10.20.30.40") : address("fd01:2345:6789::abcd");
    for (int i = 0; i < 700; ++i) {
      last = neighbour_of(last, random);
      const auto cut = static_cast<std::uint8_t>(std::min(random.below(40), random.below(33)));
      const Prefix chosen(last,
                          static_cast<std::uint8_t>(last.bits() - std::min(cut, last.bits())));
      const PeerId peer{static_cast<std::uint32_t>(random.below(3))};
      if (random.below(3) == 0 && !held.empty()) {
        const Prefix gone = held[random.below(held.size())];
        table.remove(gone, peer), slow.remove(gone, peer);
      } else {
        table.insert(chosen, peer), slow.insert(chosen, peer);
        held.push_back(chosen);
      }
      const IpAddress asked = neighbour_of(last, random);
      ASSERT_EQ(table.find(asked), slow.find(asked)) << asked.to_string();
      ASSERT_THAT(table.prefixes(peer), ::testing::ElementsAreArray(slow.prefixes(peer)));
    }
    for (std::uint32_t peer = 0; peer < 3; ++peer) table.remove_all(PeerId{peer});
    EXPECT_FALSE(table.find(last).has_value());
    table.insert(held.front(), kA);
    EXPECT_THAT(table.prefixes(kA), ElementsAre(held.front()));
  }
}

TEST(AllowedIps, FindsEachOfManyHostsAndNoneThatIsNotThere) {
  const auto host = [](std::size_t i) {  // spread by an odd factor, each once
    const std::array<be32, 1> word{static_cast<std::uint32_t>(i * 0x9e37'79b1)};
    return IpAddress::from_bytes(std::as_bytes(std::span(word)));
  };
  constexpr std::size_t kHosts = 100'000;
  AllowedIps table;
  for (std::size_t i = 0; i < kHosts; ++i) {
    table.insert(Prefix::host(host(i)), PeerId{static_cast<std::uint32_t>(i)});
  }
  for (std::size_t i = 0; i < kHosts; i += 2) {
    table.remove_all(PeerId{static_cast<std::uint32_t>(i)});
  }
  for (std::size_t i = 0; i < 2 * kHosts; ++i) {
    const bool there = i < kHosts && i % 2 == 1;
    const std::optional<PeerId> expected =
        there ? std::optional(PeerId{static_cast<std::uint32_t>(i)}) : std::nullopt;
    ASSERT_EQ(table.find(host(i)), expected) << i;
  }
}

}  // namespace
}  // namespace trellis::wireguard
