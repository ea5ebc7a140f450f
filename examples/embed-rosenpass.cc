// Two ends of Rosenpass in one program: c++ -std=c++20, find_package(Trellis), Trellis::rosenpass.
#include <protocol/rosenpass/service.h>
#include <sys/random.h>

#include <cstdio>
#include <cstdlib>

using namespace trellis;

/// Where randomness comes from is the program's choice.
struct SystemRandom final : Random {
  void fill(MutableByteView target) override {
    const auto wanted = static_cast<ssize_t>(target.size());
    if (::getrandom(target.data(), target.size(), 0) != wanted) std::abort();
  }
};

int main() {
  SystemRandom random;
  const crypto::Kem& kem = *crypto::suite_rosenpass().static_kem;
  const crypto::KemKeyPair alice_keys = kem.generate(random), bob_keys = kem.generate(random);
  const Endpoint alice_at = *Endpoint::parse("192.0.2.1:9999");
  const Endpoint bob_at = *Endpoint::parse("192.0.2.2:9999");
  const TimePoint now{};  // a clock, in a program that runs for longer

  auto alice =
      rosenpass::Service::create(alice_keys.public_key, alice_keys.secret_key.expose(), random);
  auto bob = rosenpass::Service::create(bob_keys.public_key, bob_keys.secret_key.expose(), random);
  if (!alice || !bob) return EXIT_FAILURE;
  (void)alice->add_peer(now, bob_keys.public_key, {.path = bob_at});  // begins
  (void)bob->add_peer(now, alice_keys.public_key, {});                // waits

  std::optional<rosenpass::OutputKey> alices, bobs;
  bob->on_key([&](const rosenpass::Service::KeyChange& change) {
    if (change.key) bobs = change.key->clone();
  });
  alice->handle_timeout(now);  // as next_timeout() says
  while (!alices || !bobs) {   // in place of sockets: what one sends the other one gets
    const auto from_alice = alice->poll_transmit();
    if (from_alice) bob->handle_datagram(now, alice_at, from_alice->bytes);
    const auto from_bob = bob->poll_transmit();
    if (from_bob) alice->handle_datagram(now, bob_at, from_bob->bytes);
    if (auto change = alice->poll_key(); change && change->key) alices = std::move(change->key);
    if (!from_alice && !from_bob) break;
  }
  const bool same = alices && bobs && crypto::equal(alices->expose(), bobs->expose());
  std::puts(same ? "both ends have the same key" : "the ends have no key in common");
  return same ? EXIT_SUCCESS : EXIT_FAILURE;
}
