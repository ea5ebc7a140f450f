#pragma once

// Two whole agents in one thread of virtual time, from a seed. For tests only.

#include "crypto/x25519.h"
#include "node/agent/agent.h"
#include "testing/random.h"
#include "testing/sim.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace trellis::agent {

/// Real KEMs, small keys: an exchange of McEliece hashes megabytes, and a sim runs thousands.
const crypto::Suite& small_suite();

class AgentSim {
 public:
  static constexpr std::size_t kHosts = 2;

  /// What happens to one datagram on the way, decided by a test; nothing means the seed decides.
  enum class Fate { Deliver, Drop, Duplicate, Delay };
  using Interceptor =
      std::function<std::optional<Fate>(std::size_t from, std::uint64_t index, ByteView datagram)>;

  explicit AgentSim(std::uint64_t seed, pair::Mode mode = pair::Mode::Strict);
  AgentSim(const AgentSim&) = delete;
  AgentSim& operator=(const AgentSim&) = delete;
  ~AgentSim();

  /// Starts a host with the state that its disk holds. With `knows_endpoint` it can begin.
  void start(std::size_t host, bool knows_endpoint = true);
  /// Its list of peers names the other one without a Rosenpass key.
  void start_without_peer_key(std::size_t host);
  /// The process is gone: all that is volatile is lost, the disk stays.
  void crash(std::size_t host);
  bool running(std::size_t host) const { return hosts_[host].machine != nullptr; }
  Agent& agent(std::size_t host) const;
  const pair::Pair& pair(std::size_t host) const { return *agent(host).pairs().front(); }

  /// Exchanges the hosts' Rosenpass keys, so that the other one has the larger pid.
  void swap_rosenpass_keys();
  void give_new_rosenpass_key(std::size_t host);
  void give_new_wireguard_key(std::size_t host);
  void set_wall_offset(std::size_t host, Duration offset) { hosts_[host].wall_offset = offset; }
  std::string& disk(std::size_t host) { return hosts_[host].disk; }

  /// Sends an inner packet to the other host; it counts as received when it comes out there.
  void ping(std::size_t from);
  std::uint64_t sent(std::size_t from) const { return hosts_[from].sent; }
  std::uint64_t received(std::size_t at) const { return hosts_[at].received; }

  void run_for(Duration duration) {
    run_until(now() + duration, [] { return false; });
  }
  bool run_until(TimePoint end, const std::function<bool()>& done);
  /// The hosts sleep while boot time goes on; what is in flight is lost.
  void suspend(Duration duration);
  void at(TimePoint when, std::function<void()> action);
  TimePoint now() const { return net_.now(); }

  /// Both have the same current key and a session under it.
  bool agreed() const;
  bool same_current_key() const;
  bool usable(std::size_t host) const;

  /// Puts bytes of an attacker's on the wire.
  void inject(std::size_t to, const Endpoint& from, ByteVector bytes);

  testing::LinkFaults faults{.delay = 5ms};
  Interceptor interceptor;
  /// Sees each datagram when it is sent.
  std::function<void(std::size_t from, ByteView datagram)> observer;

 private:
  class Machine;
  struct Host {
    crypto::PrivateKey wireguard = crypto::PrivateKey::zero();
    crypto::KemKeyPair rosenpass;
    std::unique_ptr<testing::SeededRandom> random;
    std::unique_ptr<Machine> machine;  // while it runs
    std::string disk;
    Duration wall_offset{};
    Endpoint address;
    IpAddress inner;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
  };

  void start_with(std::size_t host, bool knows_endpoint, bool has_peer_key);
  std::size_t host_at(const Endpoint& address) const;
  bool on_the_wire(const testing::SimDatagram& datagram);

  pair::Mode mode_;
  testing::SeededRandom random_;
  testing::Sim net_;
  Host hosts_[kHosts];
  std::multimap<TimePoint, std::function<void()>> actions_;
  std::uint64_t datagrams_ = 0;
};

}  // namespace trellis::agent
