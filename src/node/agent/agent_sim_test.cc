#include "node/agent/agent_sim_test.h"

#include <cstring>

namespace trellis::agent {
namespace {

constexpr std::int64_t kWallBase = 1'790'000'000'000'000'000;  // some day in 2026
constexpr std::size_t kInnerSize = 32;

/// A small IPv4 packet, padded by a marker.
ByteVector inner_packet(const IpAddress& from, const IpAddress& to) {
  ByteVector packet(kInnerSize);
  packet[0] = std::byte{0x45};
  packet[3] = std::byte{kInnerSize};
  packet[8] = std::byte{64};
  std::memcpy(&packet[12], from.bytes().data(), 4);
  std::memcpy(&packet[16], to.bytes().data(), 4);
  return packet;
}

/// Bytes with the room around them that the packet path asks for.
struct Buffer {
  ByteVector storage;
  std::size_t size;

  explicit Buffer(ByteView bytes)
      : storage(crypto::PacketCipher::kHeadroom + bytes.size() + 64 +
                crypto::PacketCipher::kTailroom),
        size(bytes.size()) {
    if (!bytes.empty()) std::memcpy(data(), bytes.data(), bytes.size());
  }
  std::byte* data() { return storage.data() + crypto::PacketCipher::kHeadroom; }
  MutableByteView view() { return {data(), size}; }
};

}  // namespace

const crypto::Suite& small_suite() {
  static const crypto::Suite suite{1, "kyber512-kyber512", &crypto::kyber512_round3(),
                                   &crypto::kyber512_round3()};
  return suite;
}

AgentSim::AgentSim(std::uint64_t seed, pair::Mode mode) : mode_(mode), random_(seed) {
  for (std::size_t i = 0; i < kHosts; ++i) {
    Host& host = hosts_[i];
    host.random = std::make_unique<testing::SeededRandom>(random_.u64());
    host.wireguard = crypto::generate_private_key(*host.random);
    host.rosenpass = small_suite().static_kem->generate(*host.random);
    host.address = *Endpoint::parse("192.0.2." + std::to_string(i + 1) + ":51820");
    host.inner = *IpAddress::parse("100.64.0." + std::to_string(i + 1));
  }
}

void AgentSim::swap_rosenpass_keys() {
  CHECK(!hosts_[0].agent && !hosts_[1].agent);
  std::swap(hosts_[0].rosenpass, hosts_[1].rosenpass);
}

bool AgentSim::first_is_larger() const {
  return rosenpass::peer_hash(hosts_[0].rosenpass.public_key) >
         rosenpass::peer_hash(hosts_[1].rosenpass.public_key);
}

void AgentSim::give_new_rosenpass_key(std::size_t host) {
  CHECK(!hosts_[host].agent);
  hosts_[host].rosenpass = small_suite().static_kem->generate(*hosts_[host].random);
}

void AgentSim::set_clock(std::size_t host) {
  hosts_[host].agent->set_wall_clock(
      WallTime{kWallBase + (now_.time_since_epoch() + hosts_[host].wall_offset).count()});
}

void AgentSim::start(std::size_t host, bool knows_endpoint) {
  start_with(host, knows_endpoint, /*has_peer_key=*/true);
}

void AgentSim::start_without_peer_key(std::size_t host) {
  start_with(host, /*knows_endpoint=*/true, /*has_peer_key=*/false);
}

void AgentSim::start_with(std::size_t index, bool knows_endpoint, bool has_peer_key) {
  Host& host = hosts_[index];
  const Host& other = hosts_[1 - index];
  State state;
  if (!host.disk.empty()) {
    auto parsed = parse_state(host.disk);
    CHECK(parsed.has_value());
    state = *std::move(parsed);
  }
  Identity identity{host.wireguard.clone(),
                    {host.rosenpass.public_key, host.rosenpass.secret_key.clone()}};
  Agent::Options options;
  options.mode = mode_;
  options.suite = &small_suite();
  auto agent = Agent::create(std::move(identity), std::move(state), options, *host.random);
  CHECK(agent.has_value());
  host.agent = *std::move(agent);
  set_clock(index);

  pair::PeerConfig peer;
  peer.name = "peer" + std::to_string(1 - index);
  peer.wireguard_key = crypto::public_key(other.wireguard);
  if (has_peer_key) peer.rosenpass_key = other.rosenpass.public_key;
  peer.addresses = {Prefix::host(other.inner)};
  peer.has_endpoint = knows_endpoint;
  if (knows_endpoint) peer.endpoints = {other.address};
  std::vector<pair::PeerConfig> peers;
  peers.push_back(std::move(peer));
  host.agent->set_peers(now_, mode_, std::move(peers));
  flush(index);
}

void AgentSim::crash(std::size_t host) { hosts_[host].agent.reset(); }

void AgentSim::ping(std::size_t from) {
  Host& host = hosts_[from];
  ++host.sent;
  if (!host.agent) return;
  set_clock(from);
  Buffer buffer(inner_packet(host.inner, hosts_[1 - from].inner));
  wireguard::OutboundPacket packet{buffer.view()};
  std::vector<wireguard::OutboundDatagram> datagrams;
  host.agent->send(now_, std::span(&packet, 1), datagrams);
  // What must be remembered goes to disk before what follows from it is sent.
  if (auto text = host.agent->poll_state()) host.disk = *std::move(text);
  for (const auto& datagram : datagrams) transmit(from, datagram.bytes);
  flush(from);
}

void AgentSim::flush(std::size_t index) {
  Host& host = hosts_[index];
  if (auto text = host.agent->poll_state()) host.disk = *std::move(text);
  while (auto out = host.agent->poll_transmit()) transmit(index, out->bytes);
}

void AgentSim::transmit(std::size_t from, ByteView bytes) {
  if (observer) observer(from, bytes);
  std::optional<Fate> fate;
  if (interceptor) fate = interceptor(from, datagrams_, bytes);
  ++datagrams_;
  if (!fate) {
    fate = Fate::Deliver;
    if (random_.unit() < faults.loss)
      fate = Fate::Drop;
    else if (random_.unit() < faults.duplication)
      fate = Fate::Duplicate;
  }
  if (*fate == Fate::Drop) return;
  const int copies = *fate == Fate::Duplicate ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    const auto jitter = Duration(
        static_cast<Duration::rep>(random_.unit() * static_cast<double>(faults.jitter.count())));
    const Duration extra = *fate == Fate::Delay ? Duration(700ms) : Duration(0);
    push({now_ + faults.delay + jitter + extra, 0, 1 - from, hosts_[from].address, to_vector(bytes),
          nullptr});
  }
}

void AgentSim::inject(std::size_t to, const Endpoint& from, ByteVector bytes) {
  push({now_, 0, to, from, std::move(bytes), nullptr});
}

void AgentSim::at(TimePoint when, std::function<void()> action) {
  push({when, 0, 0, {}, {}, std::move(action)});
}

void AgentSim::push(Delivery delivery) {
  delivery.order = order_++;
  queue_.push(std::move(delivery));
}

void AgentSim::deliver(const Delivery& delivery) {
  if (delivery.action) return delivery.action();
  Host& host = hosts_[delivery.to];
  if (!host.agent) return;
  set_clock(delivery.to);
  Buffer buffer(delivery.bytes);
  wireguard::InboundDatagram datagram{delivery.from, buffer.view()};
  std::vector<wireguard::InboundPacket> packets;
  host.agent->receive(now_, std::span(&datagram, 1), packets);
  host.received += packets.size();
  flush(delivery.to);
}

bool AgentSim::run_until(TimePoint end, const std::function<bool()>& done) {
  while (true) {
    if (done()) return true;
    std::optional<TimePoint> next;
    if (!queue_.empty()) next = queue_.top().when;
    for (const Host& host : hosts_) {
      if (host.agent) next = earlier(next, host.agent->next_timeout());
    }
    if (!next || *next > end) {
      now_ = end;
      return done();
    }
    now_ = std::max(now_, *next);
    if (!queue_.empty() && queue_.top().when <= now_) {
      const Delivery delivery = queue_.top();
      queue_.pop();
      deliver(delivery);
      continue;
    }
    for (std::size_t i = 0; i < kHosts; ++i) {
      if (!hosts_[i].agent) continue;
      const auto due = hosts_[i].agent->next_timeout();
      if (!due || *due > now_) continue;
      set_clock(i);
      hosts_[i].agent->handle_timeout(now_);
      flush(i);
    }
  }
}

void AgentSim::suspend(Duration duration) {
  now_ += duration;
  queue_ = {};
}

bool AgentSim::usable(std::size_t host) const {
  return running(host) &&
         pair(host).status(now_).protection == pair::Status::Protection::PostQuantum;
}

bool AgentSim::same_current_key() const {
  if (!running(0) || !running(1)) return false;
  const auto& a = pair(0).keys().current();
  const auto& b = pair(1).keys().current();
  return a && b && crypto::equal(a->key.expose(), b->key.expose());
}

bool AgentSim::agreed() const {
  return usable(0) && usable(1) && same_current_key() && pair(0).session_is_current(now_) &&
         pair(1).session_is_current(now_);
}

}  // namespace trellis::agent
