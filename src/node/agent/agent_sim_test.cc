#include "node/agent/agent_sim_test.h"

#include <cstring>
#include <deque>

namespace trellis::agent {
namespace {

constexpr Duration kLate = 700ms;  // beyond what is on the way
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
      : storage(wireguard::Device::kHeadroom + bytes.size() + wireguard::Device::kTailroom),
        size(bytes.size()) {
    if (!bytes.empty()) std::memcpy(data(), bytes.data(), bytes.size());
  }
  std::byte* data() { return storage.data() + wireguard::Device::kHeadroom; }
  MutableByteView view() { return {data(), size}; }
};

}  // namespace

const crypto::Suite& small_suite() {
  static const crypto::Suite suite{1, "kyber512-kyber512", &crypto::kyber512_round3(),
                                   &crypto::kyber512_round3()};
  return suite;
}

/// A process of an agent, and the sockets around it.
class AgentSim::Machine final : public testing::SimHost {
 public:
  Machine(const testing::Sim& net, Host& host, std::unique_ptr<Agent> agent)
      : net_(net), host_(host), agent_(std::move(agent)) {}

  Agent& agent() { return *agent_; }

  void set_clock() {
    agent_->set_wall_clock(
        WallTime{net_.wall_now().nanoseconds_since_epoch + host_.wall_offset.count()});
  }

  /// What must be remembered goes to disk before what follows from it is sent.
  void settle() {
    if (auto text = agent_->poll_state()) host_.disk = *std::move(text);
    while (auto out = agent_->poll_transmit()) outbox_.push_back(*std::move(out));
  }

  void send(TimePoint now, ByteView inner) {
    set_clock();
    Buffer buffer(inner);
    const wireguard::OutboundPacket packet{buffer.view()};
    std::vector<wireguard::OutboundDatagram> datagrams;
    agent_->send(now, std::span(&packet, 1), datagrams);
    settle();
    for (const auto& datagram : datagrams) {
      outbox_.push_back({datagram.to, to_vector(datagram.bytes)});
    }
  }

  void handle_datagram(TimePoint now, const Endpoint& from, ByteView bytes) override {
    set_clock();
    Buffer buffer(bytes);
    const wireguard::InboundDatagram datagram{from, buffer.view()};
    std::vector<wireguard::InboundPacket> packets;
    agent_->receive(now, std::span(&datagram, 1), packets);
    host_.received += packets.size();
    settle();
  }

  void handle_timeout(TimePoint now) override {
    set_clock();
    agent_->handle_timeout(now);
    settle();
  }

  std::optional<TimePoint> next_timeout() const override { return agent_->next_timeout(); }

  std::optional<testing::SimDatagram> poll_transmit() override {
    settle();
    if (outbox_.empty()) return std::nullopt;
    testing::SimDatagram datagram{{}, outbox_.front().to, std::move(outbox_.front().bytes)};
    outbox_.pop_front();
    return datagram;
  }

 private:
  const testing::Sim& net_;
  Host& host_;
  std::unique_ptr<Agent> agent_;
  std::deque<Agent::Transmit> outbox_;
};

AgentSim::AgentSim(std::uint64_t seed, pair::Mode mode)
    : mode_(mode), random_(seed), net_(random_.u64()) {
  for (std::size_t i = 0; i < kHosts; ++i) {
    Host& host = hosts_[i];
    host.random = std::make_unique<testing::SeededRandom>(random_.u64());
    host.wireguard = crypto::generate_private_key(*host.random);
    host.rosenpass = small_suite().static_kem->generate(*host.random);
    host.address = *Endpoint::parse("192.0.2." + std::to_string(i + 1) + ":51820");
    host.inner = *IpAddress::parse("100.64.0." + std::to_string(i + 1));
  }
  net_.set_filter(
      [this](TimePoint, const testing::SimDatagram& datagram) { return on_the_wire(datagram); });
}

AgentSim::~AgentSim() = default;

Agent& AgentSim::agent(std::size_t host) const { return hosts_[host].machine->agent(); }

void AgentSim::swap_rosenpass_keys() {
  CHECK(!running(0) && !running(1));
  std::swap(hosts_[0].rosenpass, hosts_[1].rosenpass);
}

void AgentSim::give_new_rosenpass_key(std::size_t host) {
  CHECK(!running(host));
  hosts_[host].rosenpass = small_suite().static_kem->generate(*hosts_[host].random);
}

void AgentSim::give_new_wireguard_key(std::size_t host) {
  CHECK(!running(host));
  hosts_[host].wireguard = crypto::generate_private_key(*hosts_[host].random);
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
  host.machine = std::make_unique<Machine>(net_, host, *std::move(agent));
  host.machine->set_clock();

  pair::PeerConfig peer;
  peer.name = "peer" + std::to_string(1 - index);
  peer.wireguard_key = crypto::public_key(other.wireguard);
  if (has_peer_key) peer.rosenpass_key = other.rosenpass.public_key;
  peer.addresses = {Prefix::host(other.inner)};
  peer.has_endpoint = knows_endpoint;
  if (knows_endpoint) peer.endpoints = {other.address};
  std::vector<pair::PeerConfig> peers;
  peers.push_back(std::move(peer));
  host.machine->agent().set_peers(now(), mode_, std::move(peers));
  net_.attach(host.address, *host.machine);
  net_.set_faults(faults);
  net_.flush();
}

void AgentSim::crash(std::size_t host) {
  net_.detach(hosts_[host].address);
  hosts_[host].machine.reset();
}

void AgentSim::ping(std::size_t from) {
  Host& host = hosts_[from];
  ++host.sent;
  if (!host.machine) return;
  host.machine->send(now(), inner_packet(host.inner, hosts_[1 - from].inner));
  net_.set_faults(faults);
  net_.flush();
}

std::size_t AgentSim::host_at(const Endpoint& address) const {
  return hosts_[0].address == address ? 0 : 1;
}

/// Sees each datagram before the link's own faults; false drops it.
bool AgentSim::on_the_wire(const testing::SimDatagram& datagram) {
  const std::size_t from = host_at(datagram.from);
  if (observer) observer(from, datagram.bytes);
  const std::uint64_t index = datagrams_++;
  const auto fate = interceptor ? interceptor(from, index, datagram.bytes) : std::nullopt;
  switch (fate.value_or(Fate::Deliver)) {
    case Fate::Deliver:
      return true;
    case Fate::Drop:
      return false;
    case Fate::Duplicate:
      net_.inject(datagram, faults.delay);
      return true;
    case Fate::Delay:
      net_.inject(datagram, faults.delay + kLate);
      return false;
  }
  return true;
}

void AgentSim::inject(std::size_t to, const Endpoint& from, ByteVector bytes) {
  net_.inject({from, hosts_[to].address, std::move(bytes)});
}

void AgentSim::at(TimePoint when, std::function<void()> action) {
  actions_.emplace(when, std::move(action));
}

bool AgentSim::run_until(TimePoint end, const std::function<bool()>& done) {
  net_.set_faults(faults);
  const auto action_due = [this] { return !actions_.empty() && actions_.begin()->first <= now(); };
  while (true) {
    TimePoint stop = end;
    if (!actions_.empty()) stop = std::min(stop, actions_.begin()->first);
    if (stop > now()) net_.run_until(stop - now(), [&] { return done() || action_due(); });
    if (done()) return true;
    if (!action_due()) return false;
    auto action = actions_.extract(actions_.begin());
    action.mapped()();
    net_.flush();
  }
}

void AgentSim::suspend(Duration duration) {
  for (std::size_t host = 0; host < kHosts; ++host) {
    if (running(host)) net_.suspend(hosts_[host].address, duration);
  }
  net_.run_for(duration);
}

bool AgentSim::usable(std::size_t host) const {
  return running(host) &&
         pair(host).status(now()).protection == pair::Status::Protection::PostQuantum;
}

bool AgentSim::same_current_key() const {
  if (!running(0) || !running(1)) return false;
  const auto& a = pair(0).keys().current();
  const auto& b = pair(1).keys().current();
  return a && b && crypto::equal(a->key.expose(), b->key.expose());
}

bool AgentSim::agreed() const {
  return usable(0) && usable(1) && same_current_key() && pair(0).session_is_current(now()) &&
         pair(1).session_is_current(now());
}

}  // namespace trellis::agent
