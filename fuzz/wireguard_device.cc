// A WireGuard device and a peer that follows the fuzzer's script: it has the right keys, so that
// macs and tags fit what it makes up, and keeps no other rule.

#include "crypto/x25519.h"
#include "input.h"
#include "protocol/wireguard/device.h"
#include "protocol/wireguard/mac.h"
#include "protocol/wireguard/noise.h"
#include "protocol/wireguard/session.h"
#include "testing/random.h"

#include <deque>

namespace trellis::fuzz {
namespace {

using namespace wireguard;

constexpr std::size_t kStepsMax = 150;
constexpr std::size_t kKept = 64;
constexpr std::size_t kTextMax = 1500;

/// A datagram or packet with the room around it that the device wants.
class Buffer {
 public:
  explicit Buffer(ByteView bytes)
      : storage_(Device::kHeadroom + bytes.size() + Device::kTailroom), size_(bytes.size()) {
    std::ranges::copy(bytes, storage_.begin() + Device::kHeadroom);
  }
  MutableByteView bytes() { return MutableByteView(storage_).subspan(Device::kHeadroom, size_); }

 private:
  ByteVector storage_;
  std::size_t size_;
};

class RisingTimestamps final : public TimestampSource {
 public:
  Tai64n next() override { return Tai64n::from_unix({++last_}); }

 private:
  std::int64_t last_ = 0;
};

crypto::PresharedKey preshared_key(std::uint8_t number) {
  Bytes<32> bytes{};
  bytes[0] = std::byte{number};
  return crypto::PresharedKey(bytes);
}

crypto::PrivateKey private_key(std::uint64_t number) {
  testing::SeededRandom random(number);
  return crypto::generate_private_key(random);
}

template <class T>
T message_of(ByteView datagram) {
  return Reader(datagram).read<T>();
}

struct World {
  testing::SeededRandom device_random{1};
  testing::SeededRandom forger_random{2};
  RisingTimestamps device_timestamps;
  TimePoint now{};
  crypto::PublicKey device_key;
  Device device;
  Identity forger = Identity::of(private_key(12));
  Remote device_remote;
  CookieJar jar;
  CookieChecker checker;
  PeerId peer{};

  std::deque<ByteVector> to_forger;
  std::vector<ByteVector> sent;      // by the forger
  std::vector<ByteVector> received;  // by the forger
  std::vector<InitiationSent> initiated;
  std::vector<Session> sessions;
  std::vector<SessionIndex> device_indices;
  std::int64_t timestamp = 0;
  std::uint32_t next_index = 1;

  explicit World(std::uint8_t flags)
      : device_key(crypto::public_key(private_key(11))),
        device({.private_key = private_key(11),
                .roaming = (flags & 1) != 0 ? Roaming::Follow : Roaming::Report,
                .handshakes_per_second = (flags & 2) != 0 ? 8u : 500u},
               device_random, device_timestamps),
        device_remote(Remote::of(forger, device_key)),
        jar(device_key),
        checker(forger.public_key, forger_random) {
    add_peer();
    if ((flags & 4) == 0) device.set_endpoint(now, peer, endpoint_of(1));
  }

  void add_peer() {
    const auto added = device.add_peer(forger.public_key);
    CHECK(added);
    peer = *added;
    device.set_allowed_ips(peer,
                           std::vector{*Prefix::parse("10.0.0.0/8"), *Prefix::parse("fd00::/8")});
    set_keys(1);
  }

  /// 0: none; 1, 2: that one current, both live; 3: plain, without a key.
  void set_keys(std::uint8_t which) {
    std::vector<LiveKey> live;
    if (which % 4 == 3) return device.set_preshared_key(now, peer, preshared_key(0));
    for (std::uint8_t number : {std::uint8_t{1}, std::uint8_t{2}}) {
      live.push_back({KeyId{number}, preshared_key(number)});
    }
    const bool none = which % 4 == 0;
    device.set_preshared_keys(now, peer, none ? std::nullopt : std::optional(KeyId{which % 4u}),
                              std::move(live));
  }

  void keep(ByteView datagram) {
    if (received.size() < kKept) received.push_back(to_vector(datagram));
    if (to_forger.size() < kKept) to_forger.push_back(to_vector(datagram));
  }

  void drain() {
    while (const auto out = device.poll_transmit()) keep(out->bytes);
    while (device.poll_event()) continue;
  }

  void give(std::uint8_t from, ByteView datagram) {
    if (sent.size() < kKept) sent.push_back(to_vector(datagram));
    Buffer buffer(datagram);
    const InboundDatagram inbound{endpoint_of(from), buffer.bytes()};
    std::vector<InboundPacket> packets;
    device.receive(now, std::span(&inbound, 1), packets);
    for (const InboundPacket& packet : packets) {
      CHECK(packet.peer == peer && !packet.bytes.empty());
      CHECK(packet.bytes.data() >= buffer.bytes().data() &&
            packet.bytes.data() + packet.bytes.size() <=
                buffer.bytes().data() + buffer.bytes().size());
    }
    drain();
  }

  /// With its macs made right, if it is of a type that has some.
  void give_with_macs(std::uint8_t from, ByteVector datagram) {
    const auto fix = [&]<class Message>(Message message) {
      jar.add_macs(now, message);
      std::ranges::copy(bytes_of(message), datagram.begin());
    };
    const auto message = parse(datagram);
    if (message && std::holds_alternative<HandshakeInitiation>(*message)) {
      fix(message_of<HandshakeInitiation>(datagram));
    } else if (message && std::holds_alternative<HandshakeResponse>(*message)) {
      fix(message_of<HandshakeResponse>(datagram));
    }
    give(from, datagram);
  }

  void initiate_from(std::uint8_t from, std::uint8_t later) {
    timestamp += later;
    auto made = initiate(forger, device_remote, SessionIndex{next_index++},
                         Tai64n::from_unix({timestamp * 1'000'000}), forger_random);
    CHECK(made);
    if (initiated.size() < kKept) initiated.push_back(std::move(made->state));
    give_with_macs(from, to_vector(bytes_of(made->message)));
  }

  void adopt(SessionKeys keys) {
    if (sessions.size() >= kKept) return;
    device_indices.push_back(keys.remote);
    sessions.emplace_back(std::move(keys), KeyId{0}, now);
  }

  /// Takes the next message of the device as an honest peer would, with the key that is said.
  void answer(std::uint8_t from, std::uint8_t key) {
    if (to_forger.empty()) return;
    ByteVector datagram = std::move(to_forger.front());
    to_forger.pop_front();
    const auto message = parse(datagram);
    CHECK(message);
    if (const auto* initiation = std::get_if<HandshakeInitiation>(&*message)) {
      CHECK(checker.mac1_fits(*initiation));
      device_indices.push_back(SessionIndex{std::uint32_t{initiation->sender}});
      auto opened = open_initiation(forger, *initiation);
      CHECK(opened && opened->static_key == device_key);
      const auto was = finish_initiation(*std::move(opened), device_remote);
      CHECK(was);
      auto made = respond(*was, preshared_key(key), SessionIndex{next_index++}, forger_random);
      CHECK(made);
      adopt(std::move(made->keys));
      give_with_macs(from, to_vector(bytes_of(made->message)));
    } else if (const auto* response = std::get_if<HandshakeResponse>(&*message)) {
      std::vector<LiveKey> keys;
      keys.reserve(3);
      for (std::uint8_t number = 0; number < 3; ++number) {
        keys.push_back({KeyId{number}, preshared_key(number)});
      }
      for (const InitiationSent& state : initiated) {
        if (std::uint32_t{response->receiver} != static_cast<std::uint32_t>(state.local)) continue;
        auto consumed = consume_response(state, forger, *response, keys);
        CHECK(consumed);
        adopt(std::move(consumed->keys));
      }
    } else if (const auto* reply = std::get_if<CookieReply>(&*message)) {
      (void)jar.consume(now, *reply);
    }
  }

  /// A cookie reply to what the device sent last.
  void give_cookie(std::uint8_t from) {
    for (auto datagram = received.rbegin(); datagram != received.rend(); ++datagram) {
      const auto message = parse(*datagram);
      const auto* initiation = message ? std::get_if<HandshakeInitiation>(&*message) : nullptr;
      if (initiation == nullptr) continue;
      return give(
          from, bytes_of(checker.reply(now, endpoint_of(1), initiation->sender, initiation->mac1)));
    }
  }

  void give_text(std::uint8_t session, std::uint8_t from, ByteVector text) {
    if (sessions.empty()) return;
    text.resize(std::min(text.size(), kTextMax));
    Buffer buffer(text);
    const auto datagram = sessions[session % sessions.size()].seal(buffer.bytes());
    CHECK(datagram);
    give(from, *datagram);
  }

  /// The host wants a packet sent.
  void send_packet(ByteView packet) {
    Buffer buffer(packet);
    const OutboundPacket outbound{buffer.bytes()};
    std::vector<OutboundDatagram> datagrams;
    device.send(now, std::span(&outbound, 1), datagrams);
    for (const OutboundDatagram& datagram : datagrams) keep(datagram.bytes);
    drain();
  }

  void pass_time(Duration duration) {
    now += duration;
    device.handle_timeout(now);
    CHECK(!device.next_timeout() || *device.next_timeout() > now);
    drain();
  }

  void configure(Input& input) {
    switch (input.byte() % 8) {
      case 0:
        return set_keys(input.byte());
      case 1:
        return device.set_endpoint(now, peer, endpoint_of(input.byte()));
      case 2:
        return device.set_endpoint(now, peer, std::nullopt);
      case 3:
        return device.set_persistent_keepalive(now, peer, std::chrono::seconds(input.byte()));
      case 4:
        return device.start_handshake(now, peer,
                                      input.byte() % 2 == 0 ? Running::Keep : Running::Cancel);
      case 5:
        device.remove_peer(peer);
        return add_peer();
      case 6:
        device.remove_allowed_ip(peer, *Prefix::parse("10.0.0.0/8"));
        return;
      default:
        // What was made with the old key must go.
        device.set_private_key(input.byte() % 2 == 0 ? std::optional(private_key(11))
                                                     : std::nullopt);
    }
  }
};

/// An inner packet that names addresses which are routed to the peer.
ByteVector inner_packet(Input& input) {
  const bool v4 = input.byte() % 2 == 0;
  ByteVector packet = input.filled((v4 ? 20u : 40u) + input.byte());
  if (v4) {
    packet[0] = std::byte{0x45};
    packet[2] = std::byte{0};
    packet[3] = static_cast<std::byte>(std::min<std::size_t>(packet.size(), 255));
    packet[12] = packet[16] = std::byte{10};
  } else {
    packet[0] = std::byte{0x60};
    packet[4] = std::byte{0};
    packet[5] = static_cast<std::byte>(packet.size() - 40);
    packet[8] = packet[24] = std::byte{0xfd};
  }
  return packet;
}

ByteVector made_up(const World& world, Input& input) {
  constexpr std::size_t kSizes[] = {148, 92, 64};
  const std::uint8_t type = input.byte() % 4;
  const std::size_t size = type < 3 ? kSizes[type] : 32u + 16u * (input.byte() % 8u);
  const std::uint8_t which = input.byte();
  ByteVector datagram = input.filled(size);
  std::ranges::copy(bytes_of(le32(type + 1u)), datagram.begin());
  if (world.device_indices.empty()) return datagram;
  const auto index = world.device_indices[which % world.device_indices.size()];
  std::ranges::copy(bytes_of(le32(static_cast<std::uint32_t>(index))),
                    datagram.begin() + (type == 1 ? 8 : 4));
  return datagram;
}

void step(World& world, Input& input) {
  switch (input.byte() % 16) {
    case 0:
      return world.pass_time(std::chrono::milliseconds(input.number()));
    case 1:
      return world.pass_time(std::chrono::seconds(input.byte()));
    case 2:
    case 3: {
      const std::uint8_t from = input.byte();
      return world.initiate_from(from, input.byte());
    }
    case 4:
    case 5:
    case 6: {
      const std::uint8_t from = input.byte();
      return world.answer(from, input.byte() % 4);
    }
    case 7:
      return world.send_packet(inner_packet(input));
    case 8:
      return world.send_packet(input.bytes(input.byte()));
    case 9: {
      const std::uint8_t session = input.byte();
      return world.give_text(session, input.byte(), inner_packet(input));
    }
    case 10: {
      const std::uint8_t session = input.byte();
      const std::uint8_t from = input.byte();
      return world.give_text(session, from, to_vector(input.bytes(input.byte())));
    }
    case 11: {  // changed on the way
      if (world.sent.empty()) return;
      ByteVector datagram = world.sent[input.byte() % world.sent.size()];
      const std::size_t at = input.number();
      spoil(datagram, at, input.byte());
      return world.give_with_macs(input.byte(), std::move(datagram));
    }
    case 12: {  // replayed, or reflected
      const auto& from_whom = input.byte() % 4 == 0 ? world.received : world.sent;
      if (from_whom.empty()) return;
      const ByteVector datagram = from_whom[input.byte() % from_whom.size()];
      return world.give(input.byte(), datagram);
    }
    case 13: {
      ByteVector datagram = made_up(world, input);
      return world.give_with_macs(input.byte(), std::move(datagram));
    }
    case 14: {
      const std::uint8_t how = input.byte();
      if (how % 2 == 0) return world.give_cookie(how);
      return world.give(how, input.bytes(input.byte()));
    }
    default:
      world.configure(input);
      return world.drain();
  }
}

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  fuzz::Input input(data, size);
  fuzz::World world(input.byte());
  for (std::size_t i = 0; i < fuzz::kStepsMax && !input.at_end(); ++i) fuzz::step(world, input);
  (void)world.device.info(world.peer);
  (void)world.device.session(world.now, world.peer);
  return 0;
}
