#include "base/result.h"
#include "crypto/x25519.h"
#include "measure.h"
#include "protocol/wireguard/noise.h"
#include "testing/random.h"

#include <fmt/format.h>

namespace trellis::bench {
namespace {

using namespace wireguard;

std::string per_second(double nanoseconds) { return fmt::format("{:.0f} /s", 1e9 / nanoseconds); }

/// Two ends that know each other.
struct Ends {
  testing::SeededRandom random{1};
  Identity alice = Identity::of(crypto::generate_private_key(random));
  Identity bob = Identity::of(crypto::generate_private_key(random));
  Remote bob_of_alice = Remote::of(alice, bob.public_key);
  Remote alice_of_bob = Remote::of(bob, alice.public_key);
  crypto::PresharedKey preshared_key{Bytes<32>{}};
  std::vector<LiveKey> keys = live_keys();

  static std::vector<LiveKey> live_keys() {
    std::vector<LiveKey> result;
    result.push_back({KeyId{1}, crypto::PresharedKey(Bytes<32>{})});
    return result;
  }

  Initiated begin() { return *initiate(alice, bob_of_alice, SessionIndex{1}, Tai64n{}, random); }
  Responded answer(const HandshakeInitiation& message) {
    auto opened = open_initiation(bob, message);
    CHECK(opened.has_value());
    const auto received = finish_initiation(*std::move(opened), alice_of_bob);
    CHECK(received.has_value());
    return *respond(*received, preshared_key, SessionIndex{2}, random);
  }
  void end(const Initiated& initiated, const HandshakeResponse& message) {
    CHECK(consume_response(initiated.state, alice, message, keys).has_value());
  }
};

}  // namespace

void measure_handshakes(Report& report) {
  Ends ends;
  report.section("X25519", "one core");
  report.line(
      "x25519: public key", 1, [&] { keep(crypto::public_key(ends.alice.private_key)); },
      per_second);
  report.line(
      "x25519: agreement", 1,
      [&] { keep(crypto::shared_secret(ends.alice.private_key, ends.bob.public_key)); },
      per_second);

  report.section("WireGuard handshake", "one core");
  const Initiated initiated = ends.begin();
  const Responded responded = ends.answer(initiated.message);
  report.line("handshake: initiator's first message", 1, [&] { keep(ends.begin()); }, per_second);
  report.line(
      "handshake: initiator's end", 1, [&] { ends.end(initiated, responded.message); }, per_second);
  report.line(
      "handshake: initiator, both", 1,
      [&] {
        keep(ends.begin());
        ends.end(initiated, responded.message);
      },
      per_second);
  report.line("handshake: responder", 1, [&] { keep(ends.answer(initiated.message)); }, per_second);
  report.line(
      "handshake: responder, who is it (forged ones)", 1,
      [&] { keep(open_initiation(ends.bob, initiated.message)); }, per_second);
}

}  // namespace trellis::bench
