// A request on the control socket of an agent that has a pair which is up, and one that is not.

#include "crypto/x25519.h"
#include "input.h"
#include "node/agent/control.h"
#include "testing/random.h"

#include <nlohmann/json.hpp>

#include <memory>

namespace trellis::fuzz {
namespace {

using agent::Agent;

/// Real KEMs, small keys.
const crypto::Suite& small_suite() {
  static const crypto::Suite suite{0, "kyber512-kyber512", &crypto::kyber512_round3(),
                                   &crypto::kyber512_round3()};
  return suite;
}

struct Host {
  explicit Host(std::uint64_t seed) : random(seed) {
    keys = small_suite().static_kem->generate(random);
    crypto::PrivateKey wireguard = crypto::generate_private_key(random);
    public_key = crypto::public_key(wireguard);
    auto made = Agent::create({std::move(wireguard), {keys.public_key, keys.secret_key.clone()}},
                              agent::State{}, {pair::Mode::Permissive, &small_suite()}, random);
    CHECK(made);
    agent = *std::move(made);
  }

  pair::PeerConfig as_peer(std::string name, std::uint8_t number, bool with_endpoint) const {
    pair::PeerConfig config;
    config.name = std::move(name);
    config.wireguard_key = public_key;
    config.rosenpass_key = keys.public_key;
    config.addresses = {*Prefix::parse("100.64.0." + std::to_string(number)),
                        *Prefix::parse("fd00::/64")};
    config.has_endpoint = with_endpoint;
    if (with_endpoint) config.endpoints = {endpoint_of(number)};
    return config;
  }

  testing::SeededRandom random;
  crypto::KemKeyPair keys;
  crypto::PublicKey public_key;
  std::unique_ptr<Agent> agent;
};

/// Two agents whose pair is up; the first also lists one that never answers.
class World {
 public:
  World() {
    auto silent = other_.as_peer("carol", 3, true);
    silent.wireguard_key = crypto::public_key(crypto::generate_private_key(one_.random));
    silent.rosenpass_key = stranger_.keys.public_key;
    one_.agent->set_peers(now_, pair::Mode::Permissive,
                          {other_.as_peer("bob", 2, true), std::move(silent)});
    other_.agent->set_peers(now_, pair::Mode::Permissive, {one_.as_peer("alice", 1, true)});
    for (int i = 0; i < 200; ++i) run();
    CHECK(
        agent::status_text(*one_.agent, now_, facts_, -1).find("\"protection\":\"post-quantum\"") !=
        std::string::npos);
  }

  agent::Reply ask(bool may_change, std::string_view request) {
    return agent::handle_request(*one_.agent, now_, facts_, {may_change}, request);
  }

 private:
  void run() {
    now_ += 10ms;
    deliver(one_, other_, 1);
    deliver(other_, one_, 2);
  }

  void deliver(Host& from, Host& to, std::uint8_t number) {
    from.agent->set_wall_clock({1'790'000'000'000'000'000 + now_.time_since_epoch().count()});
    from.agent->handle_timeout(now_);
    while (from.agent->poll_state()) continue;
    while (auto out = from.agent->poll_transmit()) {
      ByteVector storage(wireguard::Device::kHeadroom + out->bytes.size() +
                         wireguard::Device::kTailroom);
      const auto bytes =
          MutableByteView(storage).subspan(wireguard::Device::kHeadroom, out->bytes.size());
      std::ranges::copy(out->bytes, bytes.begin());
      const wireguard::InboundDatagram inbound{endpoint_of(number), bytes};
      std::vector<wireguard::InboundPacket> packets;
      to.agent->receive(now_, std::span(&inbound, 1), packets);
    }
  }

  TimePoint now_ = TimePoint{} + 1h;
  Host one_{1};
  Host other_{2};
  Host stranger_{3};
  agent::HostFacts facts_{.name = "alice\xff",
                          .interface = "trellis0",
                          .addresses = {},
                          .listen_port = 51820,
                          .warnings = {"a warning"}};
};

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  static fuzz::World world;  // only `trust` changes it, and that for good at the first time
  fuzz::Input input(data, size);
  const bool may_change = input.byte() % 2 == 1;
  const agent::Reply reply = world.ask(may_change, fuzz::text_of(input.rest()));
  CHECK(reply.text.find('\n') == std::string::npos);
  const auto answer = nlohmann::json::parse(reply.text, nullptr, false);
  CHECK(answer.is_object() && answer["ok"].is_boolean());
  CHECK(answer["ok"].get<bool>() || answer["error"].is_string());
  CHECK(!reply.reload || may_change);
  return 0;
}
