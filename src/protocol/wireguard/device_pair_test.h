#pragma once

// Two devices in a Sim, for tests.

#include "crypto/x25519.h"
#include "protocol/wireguard/constants.h"
#include "protocol/wireguard/device.h"
#include "protocol/wireguard/messages.h"
#include "testing/random.h"
#include "testing/sim.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>

namespace trellis::wireguard {

using testing::LinkFaults;
using testing::SeededRandom;
using testing::Sim;
using testing::SimDatagram;

inline const Endpoint kAliceAt = *Endpoint::parse("192.0.2.1:51820");
inline const Endpoint kBobAt = *Endpoint::parse("198.51.100.2:51820");
inline const Endpoint kElsewhere = *Endpoint::parse("203.0.113.3:4242");
inline const IpAddress kAliceInside = *IpAddress::parse("10.0.0.1");
inline const IpAddress kBobInside = *IpAddress::parse("10.0.0.2");

inline crypto::PresharedKey key(std::uint8_t number) {
  Bytes<32> bytes;
  bytes.fill(std::byte{number});
  return crypto::PresharedKey(bytes);
}

/// An IPv4 packet whose payload starts with `number`.
inline ByteVector inner_packet(const IpAddress& from, const IpAddress& to, std::uint32_t number,
                               std::size_t size = 60) {
  ByteVector packet(size);
  packet[0] = std::byte{0x45};
  const be16 length = static_cast<std::uint16_t>(size);
  std::memcpy(packet.data() + 2, &length, sizeof length);
  std::ranges::copy(from.bytes(), packet.begin() + 12);
  std::ranges::copy(to.bytes(), packet.begin() + 16);
  const be32 word = number;
  std::memcpy(packet.data() + 20, &word, sizeof word);
  return packet;
}

/// Later than all before, whatever the machine's history: a file in the real world.
class Timestamps final : public TimestampSource {
 public:
  Tai64n next() override { return Tai64n::from_unix(WallTime{++last_}); }

 private:
  std::int64_t last_ = 0;
};

/// A machine with one device.
class Machine final : public testing::SimHost {
 public:
  Machine(std::uint64_t seed, TimestampSource& timestamps, Config config) : random_(seed) {
    device.emplace(std::move(config), random_, timestamps);
  }

  void handle_datagram(TimePoint now, const Endpoint& from, ByteView datagram) override {
    ByteVector buffer(Device::kHeadroom + datagram.size() + Device::kTailroom, std::byte{0xee});
    const auto bytes = MutableByteView(buffer).subspan(Device::kHeadroom, datagram.size());
    std::ranges::copy(datagram, bytes.begin());
    std::vector<InboundPacket> packets;
    const InboundDatagram inbound{from, bytes};
    device->receive(now, {&inbound, 1}, packets);
    for (const InboundPacket& packet : packets) received.push_back(to_vector(packet.bytes));
    take_events();
  }
  void handle_timeout(TimePoint now) override {
    device->handle_timeout(now);
    take_events();
  }
  std::optional<TimePoint> next_timeout() const override { return device->next_timeout(); }
  std::optional<SimDatagram> poll_transmit() override {
    take_events();
    if (!outbox_.empty()) {
      SimDatagram datagram = std::move(outbox_.front());
      outbox_.erase(outbox_.begin());
      return datagram;
    }
    auto transmit = device->poll_transmit();
    if (!transmit) return std::nullopt;
    return SimDatagram{{}, transmit->to, std::move(transmit->bytes)};
  }

  void send(TimePoint now, ByteView packet) {
    ByteVector buffer(Device::kHeadroom + packet.size() + Device::kTailroom, std::byte{0xdd});
    const auto bytes = MutableByteView(buffer).subspan(Device::kHeadroom, packet.size());
    std::ranges::copy(packet, bytes.begin());
    std::vector<OutboundDatagram> datagrams;
    const OutboundPacket outbound{bytes};
    device->send(now, {&outbound, 1}, datagrams);
    for (const OutboundDatagram& datagram : datagrams) {
      outbox_.push_back({{}, datagram.to, to_vector(datagram.bytes)});
    }
  }

  template <class E>
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(events, [](const Event& e) { return std::holds_alternative<E>(e); }));
  }
  template <class E>
  std::optional<E> last() const {
    for (auto it = events.rbegin(); it != events.rend(); ++it) {
      if (const auto* event = std::get_if<E>(&*it)) return *event;
    }
    return std::nullopt;
  }

  std::optional<Device> device;
  std::vector<ByteVector> received;
  std::vector<Event> events;

 private:
  void take_events() {
    while (auto event = device->poll_event()) events.push_back(*event);
  }

  SeededRandom random_;
  std::vector<SimDatagram> outbox_;
};

struct ConfigOptions {
  Roaming roaming = Roaming::Follow;
  std::uint32_t handshakes_per_second = 500;
  std::uint64_t first_counter = 0;
};

/// Alice knows where Bob is; Bob does not know where Alice is.
class Pair {
 public:
  explicit Pair(std::uint64_t seed, LinkFaults faults = {}, ConfigOptions options = {})
      : net(seed, faults), random_(seed + 1000), options_(options) {
    alice_key_ = private_key();
    bob_key_ = private_key();
    start_alice();
    start_bob();
  }

  void start_alice() {
    if (alice) net.detach(alice_at);
    alice = machine(*alice_key_, alice_times_);
    bob_id = *alice->device->add_peer(crypto::public_key(*bob_key_));
    alice->device->add_allowed_ip(bob_id, Prefix::host(kBobInside));
    alice->device->set_endpoint(net.now(), bob_id, kBobAt);
    alice->device->set_preshared_key(net.now(), bob_id, key(7));
    net.attach(alice_at, *alice);
  }

  void start_bob() {
    if (bob) net.detach(kBobAt);
    bob = machine(*bob_key_, bob_times_);
    alice_id = *bob->device->add_peer(crypto::public_key(*alice_key_));
    bob->device->add_allowed_ip(alice_id, Prefix::host(kAliceInside));
    bob->device->set_preshared_key(net.now(), alice_id, key(7));
    net.attach(kBobAt, *bob);
  }

  void move_alice(const Endpoint& to) {
    net.move(alice_at, to);
    alice_at = to;
  }

  void alice_sends(std::uint32_t number) {
    alice->send(net.now(), inner_packet(kAliceInside, kBobInside, number));
    net.flush();
  }
  void bob_sends(std::uint32_t number) {
    bob->send(net.now(), inner_packet(kBobInside, kAliceInside, number));
    net.flush();
  }

  bool bob_has(std::uint32_t number) const {
    return std::ranges::count(bob->received, inner_packet(kAliceInside, kBobInside, number)) > 0;
  }
  bool alice_has(std::uint32_t number) const {
    return std::ranges::count(alice->received, inner_packet(kBobInside, kAliceInside, number)) > 0;
  }

  /// Brings the tunnel up both ways.
  void come_up() {
    alice_sends(0xa0000);
    ASSERT_TRUE(net.run_until(60s, [&] { return bob_has(0xa0000); }));
    bob_sends(0xb0000);
    ASSERT_TRUE(net.run_until(60s, [&] { return alice_has(0xb0000); }));
  }

  /// Remembers everything that is sent from now on.
  void record() {
    net.set_filter([this](TimePoint, const SimDatagram& datagram) {
      recorded.push_back(datagram);
      return true;
    });
  }
  std::size_t recorded_of_type(std::uint32_t type) const {
    return static_cast<std::size_t>(std::ranges::count_if(recorded, [type](const auto& datagram) {
      return Reader(datagram.bytes).read<le32>() == type;
    }));
  }

  Sim net;
  Endpoint alice_at = kAliceAt;
  std::unique_ptr<Machine> alice;
  std::unique_ptr<Machine> bob;
  PeerId bob_id{};    // at alice
  PeerId alice_id{};  // at bob
  std::vector<SimDatagram> recorded;

 private:
  std::optional<crypto::PrivateKey> private_key() { return crypto::generate_private_key(random_); }
  std::unique_ptr<Machine> machine(const crypto::PrivateKey& own, TimestampSource& timestamps) {
    Config config;
    config.private_key = own.clone();
    config.roaming = options_.roaming;
    config.handshakes_per_second = options_.handshakes_per_second;
    config.first_counter = options_.first_counter;
    return std::make_unique<Machine>(random_.u64(), timestamps, std::move(config));
  }

  SeededRandom random_;
  ConfigOptions options_;
  std::optional<crypto::PrivateKey> alice_key_;
  std::optional<crypto::PrivateKey> bob_key_;
  Timestamps alice_times_;
  Timestamps bob_times_;
};

}  // namespace trellis::wireguard
