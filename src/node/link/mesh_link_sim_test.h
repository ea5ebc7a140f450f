#pragma once

// Two machines with a link to each other, on a network in virtual time. For tests only.

#include "base/hex.h"
#include "crypto/x25519.h"
#include "node/link/mesh_links.h"
#include "testing/random.h"
#include "testing/sim.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace trellis::link {

inline Endpoint at(const std::string& text) {
  const auto endpoint = Endpoint::parse(text);
  CHECK(endpoint.has_value());
  return *endpoint;
}

/// What runs on a machine until it crashes.
class LinkProcess final : public testing::SimHost {
 public:
  LinkProcess(TimePoint now, const crypto::PrivateKey& own, const crypto::PublicKey& peer,
              Random& random)
      : link(links.add(now, own,
                       {.own = crypto::public_key(own),
                        .peer = peer,
                        .overlay = {*Prefix::parse("100.64.0.0/16")}},
                       random)) {
    CHECK(link != nullptr);
  }

  void handle_datagram(TimePoint now, const Endpoint& from, ByteView datagram) override {
    (void)links.handle_stun(now, from, datagram);
  }
  void handle_timeout(TimePoint now) override { links.handle_timeout(now); }
  std::optional<TimePoint> next_timeout() const override { return links.next_timeout(); }
  std::optional<testing::SimDatagram> poll_transmit() override {
    auto transmit = links.poll_transmit();
    while (const auto event = link->poll_event()) events.push_back(*event);
    if (!transmit) return std::nullopt;
    return testing::SimDatagram{{}, transmit->to, std::move(transmit->bytes)};
  }

  MeshLinks links;
  std::unique_ptr<MeshLink> link;
  std::vector<LinkEvent> events;
};

class LinkMachine {
 public:
  LinkMachine(testing::Sim& net, Random& random)
      : net_(net), random_(random), key_(crypto::generate_private_key(random)) {}
  ~LinkMachine() { crash(); }
  LinkMachine(const LinkMachine&) = delete;
  LinkMachine& operator=(const LinkMachine&) = delete;

  crypto::PublicKey public_key() const { return crypto::public_key(key_); }
  void set_peer(const LinkMachine& peer) { peer_ = peer.public_key(); }

  bool running() const { return process_ != nullptr; }
  /// With what it remembers of the peer's candidates.
  void start() {
    CHECK(!running());
    process_ = std::make_unique<LinkProcess>(net_.now(), key_, peer_, random_);
    for (const Endpoint& address : addresses_) net_.attach(address, *process_);
    link().set_remote_candidates(net_.now(), memory_);
    net_.flush();
  }
  void crash() {
    if (!running()) return;
    for (const Endpoint& address : addresses_) net_.detach(address);
    process_.reset();
  }

  void set_addresses(std::vector<Endpoint> addresses) {
    if (running()) {
      // New ones first: who is attached nowhere is gone.
      for (const Endpoint& address : addresses) {
        if (!has(address)) net_.attach(address, *process_);
      }
      for (const Endpoint& address : addresses_) {
        if (std::ranges::find(addresses, address) == addresses.end()) net_.detach(address);
      }
    }
    addresses_ = std::move(addresses);
  }
  const std::vector<Endpoint>& addresses() const { return addresses_; }
  bool has(const Endpoint& address) const {
    return std::ranges::find(addresses_, address) != addresses_.end();
  }
  std::optional<Endpoint> source_to(const Endpoint& to) const {
    for (auto it = addresses_.rbegin(); it != addresses_.rend(); ++it) {
      if (it->address.family() == to.address.family()) return *it;
    }
    return std::nullopt;
  }

  std::vector<ice::Candidate> candidates() const { return ice::host_candidates(addresses_); }
  /// The peer's candidates, as if an offer had brought them. They are remembered over restarts.
  void learn(std::vector<ice::Candidate> candidates) {
    memory_ = std::move(candidates);
    if (!running()) return;
    link().set_remote_candidates(net_.now(), memory_);
    net_.flush();
  }
  void forget() { memory_.clear(); }
  void restart_link() {
    link().restart(net_.now());
    net_.flush();
  }
  void suspend(Duration time) { net_.suspend(addresses_.front(), time); }

  MeshLink& link() { return *process_->link; }
  LinkProcess& process() { return *process_; }
  std::optional<Endpoint> path() { return running() ? link().path() : std::nullopt; }

 private:
  testing::Sim& net_;
  Random& random_;
  crypto::PrivateKey key_;
  crypto::PublicKey peer_;
  std::vector<Endpoint> addresses_;
  std::vector<ice::Candidate> memory_;
  std::unique_ptr<LinkProcess> process_;
};

/// Alice controls, Bob does not. Neither runs yet nor knows the other's candidates.
struct LinkPair {
  explicit LinkPair(std::uint64_t seed, testing::LinkFaults faults = {.delay = 10ms})
      : random(seed),
        net(seed, faults),
        first(std::make_unique<LinkMachine>(net, random)),
        second(std::make_unique<LinkMachine>(net, random)),
        first_controls(to_base64(first->public_key().bytes) >
                       to_base64(second->public_key().bytes)),
        alice(first_controls ? *first : *second),
        bob(first_controls ? *second : *first) {
    alice.set_peer(bob);
    bob.set_peer(alice);
    alice.set_addresses({at("192.0.2.1:51820")});
    bob.set_addresses({at("198.51.100.2:51820")});
    net.set_filter([this](TimePoint, const testing::SimDatagram& datagram) {
      return !blocked.contains({datagram.from, datagram.to});
    });
  }

  void exchange_candidates() {
    alice.learn(bob.candidates());
    bob.learn(alice.candidates());
  }
  void start_both() {
    exchange_candidates();
    alice.start();
    bob.start();
  }
  void block(const Endpoint& a, const Endpoint& b) {
    blocked.insert({a, b});
    blocked.insert({b, a});
  }
  /// What `from` sends now reaches `to`.
  bool reaches(LinkMachine& from, LinkMachine& to) const {
    const auto path = from.path();
    if (!path || !to.running() || !to.has(*path)) return false;
    const auto source = from.source_to(*path);
    return source && !blocked.contains({*source, *path});
  }
  bool works() const { return reaches(alice, bob) && reaches(bob, alice); }
  bool works_within(Duration limit) {
    return net.run_until(limit, [this] { return works(); });
  }
  /// How long it takes from now on; `limit` if it does not.
  Duration time_to_path(Duration limit) {
    const TimePoint begin = net.now();
    return works_within(limit) ? net.now() - begin : limit;
  }
  /// For how long of the next `time` it does.
  Duration works_during(Duration time) {
    Duration sum{};
    for (Duration passed{}; passed < time; passed += 10ms) {
      net.run_for(10ms);
      if (works()) sum += 10ms;
    }
    return sum;
  }

  testing::SeededRandom random;
  testing::Sim net;
  std::set<std::pair<Endpoint, Endpoint>> blocked;
  std::unique_ptr<LinkMachine> first;
  std::unique_ptr<LinkMachine> second;
  bool first_controls;
  LinkMachine& alice;
  LinkMachine& bob;
};

}  // namespace trellis::link
