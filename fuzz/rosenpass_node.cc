// A Rosenpass node between an honest peer and somebody who knows every public key: messages come
// late, twice, changed and made up, with macs that are right.
//
// The suite is a small one (Kyber twice), so that a script of hundreds of messages takes
// milliseconds; `rosenpass_messages` reads the sizes of the real one.

#include "crypto/kem.h"
#include "input.h"
#include "protocol/rosenpass/biscuit.h"
#include "protocol/rosenpass/initiator.h"
#include "protocol/rosenpass/node.h"
#include "testing/random.h"

#include <deque>

namespace trellis::fuzz {
namespace {

using namespace rosenpass;

constexpr std::size_t kStepsMax = 150;
constexpr std::size_t kQueueMax = 64;

const crypto::Suite& small_suite() {
  static const crypto::Suite suite{0, "kyber512-kyber512", &crypto::kyber512_round3(),
                                   &crypto::kyber512_round3()};
  return suite;
}

const crypto::KemKeyPair& key_pair(std::uint64_t number) {
  static const auto pairs = [] {
    testing::SeededRandom random(7);
    std::vector<crypto::KemKeyPair> made;
    made.reserve(3);
    for (int i = 0; i < 3; ++i) made.push_back(small_suite().static_kem->generate(random));
    return made;
  }();
  return pairs[number];
}

OwnKeys own_keys(std::uint64_t number) {
  return {key_pair(number).public_key, key_pair(number).secret_key.clone()};
}

/// Remembers the keys that it hands out: one of them seals the node's biscuits.
class RememberingRandom final : public Random {
 public:
  void fill(MutableByteView target) override {
    source_.fill(target);
    if (target.size() != 32 || keys_.size() >= 4096) return;
    keys_.emplace_back(std::span<const std::byte, 32>(target));
  }
  const std::vector<crypto::SymmetricKey>& keys() const { return keys_; }

 private:
  testing::SeededRandom source_{1};
  std::vector<crypto::SymmetricKey> keys_;
};

struct World {
  RememberingRandom node_random;
  testing::SeededRandom peer_random{2};
  testing::SeededRandom stranger_random{3};
  TimePoint now{};
  Layout layout{small_suite()};
  Node node = *Node::create(small_suite(), own_keys(0), node_random);
  Node peer = *Node::create(small_suite(), own_keys(1), peer_random);
  PeerId peer_at_node{};
  Version version;
  StaticPublicKey node_key;
  std::deque<ByteVector> to_node;
  std::deque<ByteVector> to_peer;
  std::vector<ByteVector> seen;     // from the peer
  std::vector<ByteVector> answers;  // from the node

  World(bool node_has_path, PeerKind kind, Version its_version)
      : version(its_version), node_key(key_pair(0).public_key, version) {
    const Dialect dialect{.version = version};
    PeerConfig config{.public_key = key_pair(1).public_key, .kind = kind, .dialect = dialect};
    if (node_has_path) config.path = endpoint_of(2);
    peer_at_node = *node.add_peer(now, std::move(config));
    CHECK(peer.add_peer(
        now, {.public_key = key_pair(0).public_key, .path = endpoint_of(1), .dialect = dialect}));
  }

  void drain() {
    while (auto out = node.poll_transmit()) {
      if (answers.size() < kQueueMax) answers.push_back(out->bytes);
      if (to_peer.size() < kQueueMax) to_peer.push_back(std::move(out->bytes));
    }
    while (auto out = peer.poll_transmit()) {
      if (seen.size() < kQueueMax) seen.push_back(out->bytes);
      if (to_node.size() < kQueueMax) to_node.push_back(std::move(out->bytes));
    }
    while (node.poll_event()) continue;
    while (peer.poll_event()) continue;
  }

  void give(std::uint8_t from, ByteVector datagram) {
    node.handle_datagram(now, endpoint_of(from), datagram);
    drain();
  }

  /// With the mac made right, as anybody can who knows the node's public key.
  void give_with_mac(std::uint8_t from, ByteVector datagram) {
    if (datagram.size() >= kTrailerSize) {
      const auto mac =
          message_mac(node_key.mac_key, ByteView(datagram).first(datagram.size() - kTrailerSize));
      std::ranges::copy(mac, datagram.end() - kTrailerSize);
    }
    give(from, std::move(datagram));
  }

  void pass_time(Duration duration) {
    now += duration;
    for (Node* each : {&node, &peer}) {
      each->handle_timeout(now);
      CHECK(!each->next_timeout() || *each->next_timeout() > now - 1h);
    }
    drain();
  }

  /// An InitHello from a key that the node may not know, or made with another psk.
  void give_stranger_hello(std::uint8_t from, std::uint64_t key, std::uint8_t psk_byte) {
    const Identity identity{&small_suite(), layout,
                            StaticPublicKey(key_pair(key).public_key, version),
                            key_pair(key).secret_key.expose()};
    Bytes<32> psk{};
    psk[0] = std::byte{psk_byte};
    const Counterpart counterpart{node_key, ExchangePsk(psk)};
    SessionId sidi;
    stranger_random.fill(sidi.bytes);
    auto step = start_hello(identity, counterpart, sidi, stranger_random);
    CHECK(step);
    give(from, std::move(step->init_hello));
  }

  /// An InitConf whose biscuit is sealed as the node seals them, and says what the node never said.
  void give_forged_biscuit(Input& input) {
    const auto number = input.byte();
    if (answers.empty()) return;
    const auto answer = layout.parse(answers[number % answers.size()]);
    const auto* hello = answer ? std::get_if<RespHello>(&*answer) : nullptr;
    if (hello == nullptr) return;
    const auto additional = biscuit_additional_data(node_key, hello->sidi, hello->sidr);
    for (const crypto::SymmetricKey& key : node_random.keys()) {
      auto biscuit = open_biscuit(key, additional, hello->biscuit_ct);
      if (!biscuit) continue;
      biscuit->pidi.bytes[0] ^= std::byte{input.byte()};
      biscuit->number += input.number();
      const auto sealed = seal_biscuit(key, additional, *biscuit, stranger_random);
      const InitConf forged{hello->sidi, hello->sidr, sealed, to_array<16>(input.filled(16))};
      give(2, layout.write(forged, node_key.mac_key));
      return;
    }
  }
};

void step(World& world, Input& input) {
  switch (input.byte() % 12) {
    case 0:
      return world.pass_time(std::chrono::milliseconds(input.number()));
    case 1:
      return world.pass_time(std::chrono::seconds(input.byte()));
    case 2:
    case 3:
      if (world.to_node.empty()) return;
      world.give(2, std::move(world.to_node.front()));
      return world.to_node.pop_front();
    case 4:
    case 5:
      if (world.to_peer.empty()) return;
      world.peer.handle_datagram(world.now, endpoint_of(1), world.to_peer.front());
      world.to_peer.pop_front();
      return world.drain();
    case 6: {  // changed on the way
      if (world.seen.empty()) return;
      ByteVector datagram = world.seen[input.byte() % world.seen.size()];
      const std::size_t at = input.number();
      spoil(datagram, at, input.byte());
      return world.give_with_mac(input.byte(), std::move(datagram));
    }
    case 7: {  // replayed
      if (world.seen.empty()) return;
      const std::uint8_t from = input.byte();
      return world.give(from, world.seen[input.byte() % world.seen.size()]);
    }
    case 8: {  // made up, of a size that is right
      const std::size_t sizes[] = {world.layout.init_hello_size(), world.layout.resp_hello_size(),
                                   Layout::init_conf_size(), Layout::empty_data_size(),
                                   world.layout.init_hello_size()};
      const std::size_t type = input.byte() % 5;
      ByteVector datagram = input.filled(sizes[type]);
      datagram[0] = static_cast<std::byte>(type == 4 ? 0x86 : 0x81 + type);
      return world.give_with_mac(input.byte(), std::move(datagram));
    }
    case 9:
      return world.give(input.byte(), to_vector(input.bytes(input.number())));
    case 10: {
      const std::uint8_t from = input.byte();
      const std::uint8_t which = input.byte();
      return world.give_stranger_hello(from, 1 + which % 2, which / 2);
    }
    default:
      return world.give_forged_biscuit(input);
  }
}

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  fuzz::Input input(data, size);
  const std::uint8_t flags = input.byte();
  fuzz::World world((flags & 1) != 0,
                    (flags & 2) != 0 ? rosenpass::PeerKind::Stock : rosenpass::PeerKind::Trellis,
                    (flags & 4) != 0 ? rosenpass::Version::V03 : rosenpass::Version::V02);
  for (std::size_t i = 0; i < fuzz::kStepsMax && !input.at_end(); ++i) fuzz::step(world, input);
  (void)world.node.status(world.peer_at_node);
  return 0;
}
