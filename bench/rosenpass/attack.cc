// What strangers can do to a responder with peers and state: our engine alone, in virtual time,
// with the keys of deployed Rosenpass. An honest peer renews its key all along.
//
//   trellis_bench_rosenpass_attack fuzz COUNT           datagrams of every kind, right macs or not
//   trellis_bench_rosenpass_attack noise RATE SECONDS   InitHello with a right mac over noise
//   trellis_bench_rosenpass_attack strangers RATE SECONDS  well-formed InitHello of unknown keys
//
// SECONDS are of virtual time, and cost a tenth of that. It fails if a key is not renewed in time,
// ends differ, or memory grows.

#include "base/hex.h"
#include "crypto/kem.h"
#include "protocol/rosenpass/initiator.h"
#include "protocol/rosenpass/keyed_hash.h"
#include "protocol/rosenpass/service.h"
#include "system/random.h"
#include "testing/random.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace trellis::rosenpass {
namespace {

constexpr Duration kStep = 10ms;
constexpr Duration kRenewalAtMost = 132s;  // from key to key: 130 s and a path's retries
constexpr std::size_t kPool = 512;         // datagrams that are sent again and again
constexpr std::size_t kGrowthMost = 1 << 20;
constexpr double kMicroseconds = 1e6;

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t pages = 0;
  file >> total >> pages;
  return pages * 4096;
}

const crypto::Suite& suite() { return crypto::suite_rosenpass(); }

/// One end, with the keys that it was told.
struct End {
  crypto::KemKeyPair keys;
  Service service;
  Endpoint address;
  std::deque<Transmit> sent{};
  std::optional<OutputKey> key{};
  TimePoint key_at{};
  std::uint64_t told = 0;

  End(crypto::KemKeyPair pair, Endpoint at, Random& random)
      : keys(std::move(pair)),
        service(*Service::create(keys.public_key, keys.secret_key.expose(), random)),
        address(at) {}
};

/// The responder under attack, its peers, and a cable without loss.
class World {
 public:
  /// `both_hashes`: a second peer speaks SHAKE256, so a mac is looked at twice.
  explicit World(bool both_hashes)
      : target_(suite().static_kem->generate(random_), endpoint(1), random_),
        peer_(suite().static_kem->generate(random_), endpoint(2), random_),
        other_(suite().static_kem->generate(random_)) {
    CHECK(target_.service.add_peer(now,
                                   {.public_key = peer_.keys.public_key, .path = peer_.address}));
    if (both_hashes) {
      CHECK(target_.service.add_peer(
          now, {.public_key = other_.public_key, .dialect = {.version = Version::V03}}));
    }
    CHECK(peer_.service.add_peer(now,
                                 {.public_key = target_.keys.public_key, .path = target_.address}));
    pass(1s);
    if (!peer_.key) die("no first exchange");
  }

  static Endpoint endpoint(std::uint32_t number) {
    return *Endpoint::parse(
        fmt::format("10.{}.{}.{}:9999", number >> 16U & 255U, number >> 8U & 255U, number & 255U));
  }

  [[noreturn]] static void die(const std::string& what) {
    std::fprintf(stderr, "trellis_bench_rosenpass_attack: %s\n", what.c_str());
    std::exit(1);  // NOLINT(concurrency-mt-unsafe): there is one thread
  }

  void pass(Duration duration) {
    now += duration;
    target_.service.handle_timeout(now);
    peer_.service.handle_timeout(now);
    deliver();
    if (now - peer_.key_at > kRenewalAtMost) die(fmt::format("no new key after {}", told()));
  }

  /// From an address that is as random as `random` makes it.
  void attack(ByteView datagram, Random& random) {
    attack_from(datagram, endpoint(static_cast<std::uint32_t>(random.below(1U << 24U))));
  }
  void attack_from(ByteView datagram, const Endpoint& from) {
    target_.service.handle_datagram(now, from, datagram);
    while (auto out = target_.service.poll_transmit()) {
      if (out->to == peer_.address) {
        target_.sent.push_back(*std::move(out));
      } else {
        ++answered;
      }
    }
  }

  std::string told() const {
    return fmt::format("{} keys in {} s", peer_.told,
                       std::chrono::duration_cast<std::chrono::seconds>(now - TimePoint{}).count());
  }
  std::uint64_t keys() const { return peer_.told; }
  ByteView target_key() const { return target_.keys.public_key; }
  /// What the two ends have said, the latest of it.
  const std::deque<ByteVector>& heard() const { return heard_; }
  std::string drops() const {
    std::string text;
    const DropCounters& drops = target_.service.node().drops();
    for (std::size_t i = 0; i < drops.size(); ++i) {
      if (drops[i] == 0) continue;
      text += fmt::format("{}\"{}\": {}", text.empty() ? "" : ", ", name(static_cast<Drop>(i)),
                          drops[i]);
    }
    return text;
  }

  TimePoint now{};
  std::uint64_t answered = 0;

 private:
  void take_keys(End& end) {
    while (auto change = end.service.poll_key()) {
      if (!change->key) die("a key expired");
      end.key.emplace(std::move(*change->key));
      end.key_at = now;
      ++end.told;
    }
  }

  void deliver() {
    for (bool busy = true; busy;) {
      busy = false;
      for (End* from : {&target_, &peer_}) {
        End& to = from == &target_ ? peer_ : target_;
        while (auto out = from->service.poll_transmit()) from->sent.push_back(*std::move(out));
        for (; !from->sent.empty(); from->sent.pop_front()) {
          if (from->sent.front().to != to.address) continue;
          busy = true;
          heard_.push_back(from->sent.front().bytes);
          if (heard_.size() > 16) heard_.pop_front();
          to.service.handle_datagram(now, from->address, from->sent.front().bytes);
        }
        take_keys(*from);
      }
    }
    if (target_.key && peer_.key &&
        !std::ranges::equal(target_.key->expose(), peer_.key->expose())) {
      die("the two ends have different keys");
    }
  }

  system::SystemRandom random_;
  End target_;
  End peer_;
  crypto::KemKeyPair other_;
  std::deque<ByteVector> heard_;
};

using Make = std::function<ByteVector()>;

/// Sends what `make` makes, at that rate; prints what it cost.
void flood(const char* what, World& world, Random& random, double rate, double seconds,
           const Make& make) {
  std::vector<ByteVector> pool;
  pool.reserve(kPool);
  for (std::size_t i = 0; i < kPool; ++i) pool.push_back(make());
  const std::uint64_t keys = world.keys();
  const TimePoint start = world.now;
  double spent = 0;
  std::uint64_t sent = 0;
  std::size_t resident = 0;
  for (double passed = 0; passed < seconds;) {
    const double before = cpu_seconds();
    while (static_cast<double>(sent) < rate * passed) {
      world.attack(pool[sent % pool.size()], random);
      ++sent;
    }
    spent += cpu_seconds() - before;
    world.pass(kStep);
    passed = std::chrono::duration<double>(world.now - start).count();
    if (resident == 0 && passed > seconds / 10) resident = resident_bytes();
  }
  const std::size_t grown = resident_bytes() - std::min(resident_bytes(), resident);
  fmt::print(
      "{{\"attack\": \"{}\", \"a_second\": {}, \"sent\": {}, \"cpu_us_each\": {:.2f}, "
      "\"share_of_a_core\": {:.3f}, \"answered\": {}, \"renewals\": {}, \"grown_bytes\": {}, "
      "\"drops\": {{{}}}}}\n",
      what, rate, sent, spent / static_cast<double>(sent) * kMicroseconds, spent / seconds,
      world.answered, world.keys() - keys, grown, world.drops());
  if (grown > kGrowthMost) World::die("memory grows");
  if (world.keys() == keys && seconds > 2 * 132) World::die("no renewal");
}

void put_mac(ByteVector& datagram, const MacKey& key) {
  const auto mac = message_mac(key, ByteView(datagram).first(datagram.size() - kTrailerSize));
  std::ranges::copy(mac, datagram.end() - kTrailerSize);
}

ByteVector noise_hello(Random& random, const StaticPublicKey& target, bool right_mac) {
  ByteVector datagram(Layout(suite()).init_hello_size());
  random.fill(datagram);
  datagram[0] = std::byte{0x81};
  if (right_mac) put_mac(datagram, target.mac_key);
  return datagram;
}

/// What a stranger makes who knows the target's public key, and has a key that it does not know.
Make stranger_hellos(Random& random, const StaticPublicKey& target,
                     const crypto::KemKeyPair& stranger) {
  return [&random, &target, &stranger] {
    const Identity own{&suite(), Layout(suite()), StaticPublicKey(stranger.public_key),
                       stranger.secret_key.expose()};
    const Counterpart responder{target, ExchangePsk::zero()};
    auto step = start_hello(own, responder, SessionId{random.bytes<4>()}, random);
    CHECK(step.has_value());
    return std::move(step->init_hello);
  };
}

/// A datagram of the exchange that was heard, or noise of a size that is right or any: changed in
/// places, cut or grown, and now and then with a mac made right.
ByteVector fuzzed(World& world, Random& random, const StaticPublicKey& target) {
  ByteVector datagram;
  const std::uint64_t kind = random.below(16);
  if (kind < 10 && !world.heard().empty()) {
    datagram = world.heard()[random.below(world.heard().size())];
    for (std::uint64_t i = random.below(4); i > 0; --i) {
      datagram[random.below(datagram.size())] ^= static_cast<std::byte>(1 + random.below(255));
    }
  } else {
    const std::size_t sizes[] = {1092, 1132, 176, 64, random.below(1500)};
    datagram.resize(sizes[random.below(5)]);
    random.fill(datagram);
    if (!datagram.empty()) datagram[0] = static_cast<std::byte>(0x81 + random.below(6));
  }
  if (random.below(16) == 0) datagram.resize(random.below(datagram.size() * 6 / 5 + 1));
  if (datagram.size() >= kTrailerSize && random.below(8) == 0) put_mac(datagram, target.mac_key);
  return datagram;
}

int fuzz(std::uint64_t count, std::uint64_t seed) {
  World world(true);
  testing::SeededRandom random(seed);
  const StaticPublicKey v02(world.target_key(), Version::V02);
  const StaticPublicKey v03(world.target_key(), Version::V03);
  const std::uint64_t keys = world.keys();
  std::size_t resident = 0;
  double spent = 0;
  std::vector<ByteVector> batch(100);
  for (std::uint64_t sent = 0; sent < count;) {
    for (ByteVector& datagram : batch) {
      datagram = fuzzed(world, random, random.below(2) == 0 ? v02 : v03);
    }
    const double before = cpu_seconds();
    for (const ByteVector& datagram : batch) {
      const bool close = random.below(64) == 0;  // from the peer's own address
      if (close)
        world.attack_from(datagram, World::endpoint(2));
      else
        world.attack(datagram, random);
    }
    spent += cpu_seconds() - before;
    sent += batch.size();
    world.pass(4ms);  // 25,000 a second
    if (resident == 0 && sent > count / 10) resident = resident_bytes();
  }
  const std::size_t grown = resident_bytes() - std::min(resident_bytes(), resident);
  fmt::print(
      "{{\"attack\": \"fuzz\", \"sent\": {}, \"cpu_us_each\": {:.2f}, \"renewals\": {}, "
      "\"grown_bytes\": {}, \"drops\": {{{}}}}}\n",
      count, spent / static_cast<double>(count) * kMicroseconds, world.keys() - keys, grown,
      world.drops());
  if (grown > kGrowthMost) World::die("memory grows");
  return 0;
}

int run(const std::vector<std::string>& words) {
  const auto number = [&](std::size_t i) { return std::strtod(words[i].c_str(), nullptr); };
  const std::string command = words.empty() ? "" : words[0];
  if (command == "fuzz" && words.size() == 2) {
    return fuzz(static_cast<std::uint64_t>(number(1)), 1);
  }
  if ((command != "noise" && command != "strangers") || words.size() != 3) {
    World::die("see the head of its source");
  }
  system::SystemRandom random;
  for (const bool both_hashes : {false, true}) {
    World world(both_hashes);
    const StaticPublicKey target(world.target_key());
    if (command == "strangers") {
      const crypto::KemKeyPair stranger = suite().static_kem->generate(random);
      flood("hello of strangers", world, random, number(1), number(2),
            stranger_hellos(random, target, stranger));
      return 0;
    }
    const char* const hashes = both_hashes ? ", both hashes" : "";
    flood(fmt::format("wrong mac{}", hashes).c_str(), world, random, 100'000, 10,
          [&] { return noise_hello(random, target, false); });
    if (both_hashes) return 0;
    flood("right mac over noise, within the budget", world, random, 50, 10,
          [&] { return noise_hello(random, target, true); });
    flood("right mac over noise", world, random, number(1), number(2),
          [&] { return noise_hello(random, target, true); });
  }
  return 0;
}

}  // namespace
}  // namespace trellis::rosenpass

int main(int argc, char** argv) {
  return trellis::rosenpass::run(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}
