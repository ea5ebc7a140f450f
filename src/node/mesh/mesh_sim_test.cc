#include "node/mesh/mesh_sim_test.h"

#include "crypto/x25519.h"
#include "protocol/rosenpass/key.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <deque>

namespace trellis::mesh {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kInnerSize = 32;
const Endpoint kServerAddress = *Endpoint::parse("198.51.100.1:443");

/// Real KEMs, small keys: an exchange of McEliece hashes megabytes, and a sim runs thousands.
const crypto::Suite& small_suite() {
  static const crypto::Suite suite{1, "kyber512-kyber512", &crypto::kyber512_round3(),
                                   &crypto::kyber512_round3()};
  return suite;
}

/// A small IPv4 packet.
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

// ---- keys on disk ----------------------------------------------------------------------------

ByteView MemoryKeyCache::find(const pair::KeyName& name) {
  const auto it = keys_.find(name);
  return it == keys_.end() ? ByteView() : ByteView(it->second);
}

Result<> MemoryKeyCache::put(const pair::KeyName& name, ByteView bytes) {
  CHECK(rosenpass::peer_hash(bytes) == name.pid);
  if (full_) return fail_with("no space left on device");
  keys_[name] = to_vector(bytes);
  parts_.erase(name);
  return {};
}

std::optional<rosenpass::KeyDigests> MemoryKeyCache::digests(const pair::KeyName& name) {
  return rosenpass::make_digests(keys_.at(name), rosenpass::Version::V02);
}

void MemoryKeyCache::append_part(const pair::KeyName& name, std::size_t offset, ByteView piece) {
  ByteVector& part = parts_[name];
  CHECK(offset <= part.size());
  part.resize(offset);
  append(part, piece);
}

void MemoryKeyCache::keep(const std::set<pair::KeyName>& used,
                          const std::set<pair::KeyName>& known) {
  CHECK(std::ranges::includes(known, used));
  std::erase_if(keys_, [&](const auto& entry) { return !known.contains(entry.first); });
}

// ---- the server ------------------------------------------------------------------------------

/// A process of the server, and the sockets around it.
class MeshSim::Server final : public testing::SimHost, public testing::StreamHost {
 public:
  Server(MeshSim& sim, std::unique_ptr<server::Gateway> gateway)
      : sim_(sim), gateway_(std::move(gateway)) {}

  server::Gateway& gateway() { return *gateway_; }

  void set_clock() { gateway_->set_wall_clock(sim_.net_.wall_now()); }

  void stream_opened(TimePoint now, testing::StreamEnd end, const IpAddress& peer) override {
    set_clock();
    server::Gateway::Transport transport;
    transport.source = peer;
    transport.post_quantum = true;
    const server::ConnectionId id = gateway_->open(now, transport);
    by_end_[end] = id;
    by_id_[id] = end;
  }

  void stream_received(TimePoint now, testing::StreamEnd end, ByteView bytes) override {
    set_clock();
    const auto it = by_end_.find(end);
    if (it != by_end_.end()) gateway_->receive(now, it->second, bytes);
  }

  void stream_closed(TimePoint now, testing::StreamEnd end, const std::string&) override {
    const auto it = by_end_.find(end);
    if (it == by_end_.end()) return;
    gateway_->closed(now, it->second);
    by_id_.erase(it->second);
    by_end_.erase(it);
  }

  void handle_datagram(TimePoint, const Endpoint&, ByteView) override {}
  void handle_timeout(TimePoint now) override {
    set_clock();
    gateway_->handle_timeout(now);
  }
  std::optional<TimePoint> next_timeout() const override { return gateway_->next_timeout(); }

  std::optional<testing::SimDatagram> poll_transmit() override {
    while (const auto id = gateway_->poll_ready()) waiting_.insert(*id);
    std::erase_if(waiting_, [this](server::ConnectionId id) { return drained(id); });
    return std::nullopt;
  }

 private:
  bool drained(server::ConnectionId id) {
    const auto it = by_id_.find(id);
    if (it == by_id_.end()) return true;
    const testing::StreamEnd end = it->second;
    while (sim_.streams_.writable(end)) {
      const ByteVector bytes = gateway_->poll_transmit(id);
      if (!bytes.empty()) {
        sim_.streams_.send(end, bytes);
        continue;
      }
      if (gateway_->to_close(id)) {
        by_id_.erase(id);
        by_end_.erase(end);
        gateway_->closed(sim_.now(), id);
        sim_.streams_.close(end);
      }
      return true;
    }
    return false;
  }

  MeshSim& sim_;
  std::unique_ptr<server::Gateway> gateway_;
  std::map<testing::StreamEnd, server::ConnectionId> by_end_;
  std::map<server::ConnectionId, testing::StreamEnd> by_id_;
  std::set<server::ConnectionId> waiting_;
};

// ---- a machine -------------------------------------------------------------------------------

struct MeshSim::Host {
  std::string name;
  pair::Mode mode = pair::Mode::Strict;
  crypto::PrivateKey wireguard = crypto::PrivateKey::zero();
  crypto::PublicKey wireguard_public;
  crypto::KemKeyPair rosenpass;
  std::unique_ptr<testing::SeededRandom> random;
  Endpoint address;
  // Its disk.
  std::string state;
  std::string memory;
  bool registered = false;
  MemoryKeyCache keys;

  std::unique_ptr<Machine> machine;  // while it runs
  std::uint64_t received = 0;
  std::uint64_t key_bytes = 0;  // of processes that are gone
};

/// A process of an agent, and the sockets around it.
class MeshSim::Machine final : public testing::SimHost, public testing::StreamHost {
 public:
  Machine(MeshSim& sim, Host& host, std::unique_ptr<Node> node)
      : sim_(sim), host_(host), node_(std::move(node)) {}

  Node& node() { return *node_; }
  void set_clock() { node_->set_wall_clock(sim_.net_.wall_now()); }

  void send(TimePoint now, ByteView inner) {
    set_clock();
    Buffer buffer(inner);
    const wireguard::OutboundPacket packet{buffer.view()};
    std::vector<wireguard::OutboundDatagram> datagrams;
    node_->send(now, std::span(&packet, 1), datagrams);
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
    node_->receive(now, std::span(&datagram, 1), packets);
    host_.received += packets.size();
    settle();
  }

  void handle_timeout(TimePoint now) override {
    set_clock();
    node_->handle_timeout(now);
    settle();
  }
  std::optional<TimePoint> next_timeout() const override { return node_->next_timeout(); }

  std::optional<testing::SimDatagram> poll_transmit() override {
    settle();
    if (outbox_.empty()) return std::nullopt;
    testing::SimDatagram datagram{{}, outbox_.front().to, std::move(outbox_.front().bytes)};
    outbox_.pop_front();
    return datagram;
  }

  void stream_opened(TimePoint now, testing::StreamEnd end, const IpAddress&) override {
    if (end_ != end) return;
    set_clock();
    open_ = true;
    node_->connected(now);
    settle();
  }

  void stream_received(TimePoint now, testing::StreamEnd end, ByteView bytes) override {
    if (end_ != end) return;
    set_clock();
    node_->receive_stream(now, bytes);
    settle();
  }

  void stream_closed(TimePoint now, testing::StreamEnd end, const std::string& why) override {
    if (end_ != end) return;
    end_.reset();
    open_ = false;
    node_->disconnected(now, why);
    settle();
  }

  void settle() {
    const TimePoint now = sim_.now();
    // What must be remembered goes to disk before what follows from it is sent.
    if (auto text = node_->poll_state()) host_.state = *std::move(text);
    if (auto text = node_->poll_memory(now)) host_.memory = *std::move(text);
    while (auto event = node_->poll_event()) {
      std::visit([this](const auto& what) { handle(what); }, *event);
    }
    while (auto out = node_->poll_transmit()) outbox_.push_back(*std::move(out));
    while (open_ && sim_.streams_.writable(*end_)) {
      const ByteVector bytes = node_->poll_stream();
      if (bytes.empty()) break;
      sim_.streams_.send(*end_, bytes);
    }
  }

 private:
  void handle(const Connect&) {
    open_ = false;
    end_ = sim_.streams_.connect(*this, host_.address.address, kServerAddress);
  }
  void handle(const Disconnect&) {
    if (end_) sim_.streams_.close(*end_);
    end_.reset();
    open_ = false;
  }
  void handle(const AddressesChanged&) {}
  void handle(const Joined&) { host_.registered = true; }
  void handle(const LoggedOut& event) {
    if (!event.error) host_.registered = false;
  }

  MeshSim& sim_;
  Host& host_;
  std::unique_ptr<Node> node_;
  std::optional<testing::StreamEnd> end_;
  bool open_ = false;
  std::deque<agent::Agent::Transmit> outbox_;
};

// ---- the whole -------------------------------------------------------------------------------

MeshSim::MeshSim(std::uint64_t seed, testing::LinkFaults faults)
    : random_(seed),
      net_(random_.u64(), faults),
      streams_(net_, random_.u64()),
      store_(std::make_unique<server::MemoryStore>()),
      key_files_(std::make_unique<server::MemoryKeyFiles>()) {
  net_.set_filter([this](TimePoint, const testing::SimDatagram& datagram) {
    const auto host_at = [this](const Endpoint& at) {
      const auto it = std::find_if(hosts_.begin(), hosts_.end(),
                                   [&](const auto& host) { return host->address == at; });
      return static_cast<std::size_t>(it - hosts_.begin());
    };
    return !partitions_.contains(std::minmax(host_at(datagram.from), host_at(datagram.to)));
  });
}

MeshSim::~MeshSim() {
  for (std::size_t i = 0; i < hosts_.size(); ++i) crash(i);
  crash_server();
}

IpAddress MeshSim::server_address() { return kServerAddress.address; }

void MeshSim::start_server() {
  server::Gateway::Options options;
  options.key_bytes = small_suite().static_kem->sizes().public_key;
  auto gateway =
      server::Gateway::create(options, *store_, *key_files_, random_, now(), net_.wall_now());
  CHECK(gateway.has_value());
  server_ = std::make_unique<Server>(*this, *std::move(gateway));
  net_.attach(kServerAddress, *server_);
  streams_.listen(kServerAddress, *server_);
}

void MeshSim::crash_server() {
  if (!server_) return;
  streams_.stop_listening(kServerAddress);
  streams_.remove(*server_);
  net_.detach(kServerAddress);
  server_.reset();
}

server::Gateway& MeshSim::gateway() { return server_->gateway(); }

std::string MeshSim::administrate(const std::string& request) {
  server_->set_clock();
  std::string answer = gateway().handle_request(now(), /*may_change=*/true, request);
  net_.flush();
  return answer;
}

std::string MeshSim::reusable_setup_key() {
  const Json answer =
      Json::parse(administrate(R"({"command":"setup-key create","name":"test","reusable":true})"));
  CHECK(answer["ok"] == true);
  return answer["setup_key"].get<std::string>();
}

crypto::PublicKey MeshSim::add_keyless_member(const std::string& name) {
  CHECK(!server_);
  const auto network = store_->load()->network->clone();
  server::PeerRecord record;
  record.key = crypto::public_key(crypto::generate_private_key(random_));
  record.name = name;
  Bytes<4> v4 = to_array<4>(network.v4.address().bytes());
  v4[2] = v4[3] = std::byte{0xfe};
  record.v4 = IpAddress::v4(v4);
  Bytes<16> v6 = to_array<16>(network.v6.address().bytes());
  v6[14] = v6[15] = std::byte{0xfe};
  record.v6 = IpAddress::v6(v6);
  server::Changes changes;
  changes.serial = network.serial + 1;
  changes.put_peers.push_back(record);
  CHECK(store_->commit(changes));
  return record.key;
}

std::size_t MeshSim::add_host(const std::string& name, pair::Mode mode) {
  auto host = std::make_unique<Host>();
  host->name = name;
  host->mode = mode;
  host->random = std::make_unique<testing::SeededRandom>(random_.u64());
  host->wireguard = crypto::generate_private_key(*host->random);
  host->wireguard_public = crypto::public_key(host->wireguard);
  host->rosenpass = small_suite().static_kem->generate(*host->random);
  hosts_.push_back(std::move(host));
  const std::size_t index = hosts_.size() - 1;
  hosts_[index]->address = *Endpoint::parse("192.0.2." + std::to_string(index + 1) + ":51820");
  return index;
}

void MeshSim::set_disk_full(std::size_t host, bool full) { hosts_[host]->keys.set_full(full); }

std::size_t MeshSim::copy_host(std::size_t from, const std::string& name) {
  const std::size_t index = add_host(name, hosts_[from]->mode);
  Host& copy = *hosts_[index];
  const Host& original = *hosts_[from];
  copy.wireguard = original.wireguard.clone();
  copy.wireguard_public = original.wireguard_public;
  copy.rosenpass = {original.rosenpass.public_key, original.rosenpass.secret_key.clone()};
  copy.state = original.state;
  copy.memory = original.memory;
  copy.registered = original.registered;
  copy.keys = original.keys;
  return index;
}

void MeshSim::start(std::size_t index, const std::string& setup_key) {
  Host& host = *hosts_[index];
  CHECK(!host.machine);
  Node::Options options;
  options.limits = limits_;
  options.mode = host.mode;
  options.suite = &small_suite();
  options.uplink.authority = "server.example";
  options.uplink.facts.host_name = host.name;
  options.uplink.instance = host.random->bytes<16>();
  options.uplink.never_joined = !host.registered;
  agent::State state;
  if (!host.state.empty()) {
    auto parsed = agent::parse_state(host.state);
    CHECK(parsed.has_value());
    state = *std::move(parsed);
  }
  Memory memory;
  if (!host.memory.empty()) {
    auto parsed = parse_memory(host.memory, host.wireguard_public);
    CHECK(parsed.has_value());
    memory = *std::move(parsed);
  }
  agent::Identity identity{host.wireguard.clone(),
                           {host.rosenpass.public_key, host.rosenpass.secret_key.clone()}};
  auto node = Node::create(now(), std::move(identity), std::move(state), std::move(memory),
                           std::move(options), host.keys, *host.random);
  CHECK(node.has_value());
  host.machine = std::make_unique<Machine>(*this, host, *std::move(node));
  host.machine->set_clock();
  if (!setup_key.empty()) {
    CHECK(host.machine->node().set_setup_key(now(), SecretBuffer(as_bytes(setup_key))));
  }
  host.machine->node().set_local_endpoints(now(), {host.address});
  net_.attach(host.address, *host.machine);
  net_.flush();
}

void MeshSim::crash(std::size_t index) {
  Host& host = *hosts_[index];
  if (!host.machine) return;
  host.key_bytes += host.machine->node().uplink().status().counters.key_bytes_sent;
  host.key_bytes += host.machine->node().uplink().status().counters.key_bytes_received;
  streams_.remove(*host.machine);
  net_.detach(host.address);
  host.machine.reset();
}

bool MeshSim::running(std::size_t host) const { return hosts_[host]->machine != nullptr; }
Node& MeshSim::node(std::size_t host) { return hosts_[host]->machine->node(); }
const crypto::PublicKey& MeshSim::key(std::size_t host) const {
  return hosts_[host]->wireguard_public;
}

const pair::Pair* MeshSim::pair(std::size_t from, std::size_t to) const {
  if (!running(from)) return nullptr;
  return hosts_[from]->machine->node().agent().find_pair(key(to));
}

std::size_t MeshSim::wanted(std::size_t host) const {
  const Node& node = hosts_[host]->machine->node();
  return static_cast<std::size_t>(
      std::count_if(hosts_.begin(), hosts_.end(), [&](const auto& other) {
        const Neighbour* neighbour = node.find(other->wireguard_public);
        return neighbour && neighbour->wanted();
      }));
}

Endpoint MeshSim::address(std::size_t host) const { return hosts_[host]->address; }

void MeshSim::move(std::size_t index) {
  Host& host = *hosts_[index];
  Endpoint to = host.address;
  to.address = *IpAddress::parse("203.0.113." + std::to_string(1 + random_.below(250)));
  net_.move(host.address, to);
  host.address = to;
}

void MeshSim::log_out(std::size_t host) {
  node(host).log_out(now());
  net_.flush();
}

void MeshSim::ping(std::size_t from, std::size_t to) {
  Host& host = *hosts_[from];
  const pair::Pair* peer = pair(from, to);
  if (!peer || !host.machine->node().map()) return;
  host.machine->send(now(), inner_packet(host.machine->node().map()->addresses.front().address,
                                         peer->config().addresses.front().address()));
  net_.flush();
}

std::uint64_t MeshSim::received(std::size_t at) const { return hosts_[at]->received; }

std::uint64_t MeshSim::key_bytes_moved() const {
  std::uint64_t bytes = 0;
  for (const auto& host : hosts_) {
    bytes += host->key_bytes;
    if (!host->machine) continue;
    const uplink::Counters counters = host->machine->node().uplink().status().counters;
    bytes += counters.key_bytes_sent + counters.key_bytes_received;
  }
  return bytes;
}

void MeshSim::set_partition(std::size_t a, std::size_t b, bool apart) {
  const auto pair = std::minmax(a, b);
  if (apart) {
    partitions_.insert(pair);
  } else {
    partitions_.erase(pair);
  }
}

bool MeshSim::joined(std::size_t a, std::size_t b) const {
  const auto usable = [&](std::size_t from, std::size_t to) {
    const pair::Pair* peer = pair(from, to);
    return peer && peer->status(now()).protection == pair::Status::Protection::PostQuantum;
  };
  return usable(a, b) && usable(b, a);
}

bool MeshSim::all_joined() const {
  for (std::size_t a = 0; a < hosts_.size(); ++a) {
    for (std::size_t b = a + 1; b < hosts_.size(); ++b) {
      if (!joined(a, b)) return false;
    }
  }
  return true;
}

}  // namespace trellis::mesh
