#pragma once

// Agents, a server and the network between them, in one thread of virtual time, from a seed. For
// tests only.

#include "node/mesh/node.h"
#include "server/gateway/gateway.h"
#include "server/store/memory_store.h"
#include "testing/random.h"
#include "testing/sim.h"
#include "testing/stream.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace trellis::mesh {

/// Public keys of peers, on a disk that outlives the process.
class MemoryKeyCache final : public KeyCache {
 public:
  ByteView find(const pair::KeyName& name) override;
  std::optional<rosenpass::KeyDigests> digests(const pair::KeyName& name) override;
  void let_go(const pair::KeyName&) override {}
  Result<> put(const pair::KeyName& name, ByteView bytes) override;
  void keep(const std::set<pair::KeyName>& used, const std::set<pair::KeyName>& known) override;
  ByteVector part(const pair::KeyName& name) override { return parts_[name]; }
  void append_part(const pair::KeyName& name, std::size_t offset, ByteView piece) override;
  std::size_t size() const { return keys_.size(); }
  void set_full(bool full) { full_ = full; }

 private:
  std::map<pair::KeyName, ByteVector> keys_;
  std::map<pair::KeyName, ByteVector> parts_;
  bool full_ = false;
};

class MeshSim {
 public:
  explicit MeshSim(std::uint64_t seed, testing::LinkFaults faults = {.delay = 5ms});
  MeshSim(const MeshSim&) = delete;
  MeshSim& operator=(const MeshSim&) = delete;
  ~MeshSim();

  // The server.
  static IpAddress server_address();
  void start_server();
  /// The process is gone; its store stays.
  void crash_server();
  /// One line of JSON to the running server's administration.
  std::string administrate(const std::string& request);
  /// The text of a setup key for any number of machines.
  std::string reusable_setup_key();
  server::Gateway& gateway();

  /// A machine without a Rosenpass key, as stock agents are, joined once; it never runs. While no
  /// server runs.
  crypto::PublicKey add_keyless_member(const std::string& name);

  // The machines, by number.
  std::size_t add_host(const std::string& name, pair::Mode mode = pair::Mode::Strict);
  std::size_t hosts() const { return hosts_.size(); }
  /// Of the machines that are started from now on.
  void set_limits(const Node::Limits& limits) { limits_ = limits; }
  /// Starts it with what its disk holds.
  void start(std::size_t host, const std::string& setup_key = {});
  void crash(std::size_t host);
  bool running(std::size_t host) const;
  Node& node(std::size_t host);
  const pair::Pair* pair(std::size_t from, std::size_t to) const;
  const crypto::PublicKey& key(std::size_t host) const;
  /// So many of its peers have a link.
  std::size_t wanted(std::size_t host) const;
  /// Another address of the underlay, unannounced.
  void move(std::size_t host);
  /// Its address now.
  Endpoint address(std::size_t host) const;
  void log_out(std::size_t host);
  /// Its disk takes no keys of peers.
  void set_disk_full(std::size_t host, bool full);
  /// Disk and keys of `from`, on a machine of its own.
  std::size_t copy_host(std::size_t from, const std::string& name);

  /// A packet through the tunnel; it counts as received when it comes out at the other end.
  void ping(std::size_t from, std::size_t to);
  std::uint64_t received(std::size_t at) const;
  std::uint64_t key_bytes_moved() const;

  /// No datagrams between the two, both ways.
  void set_partition(std::size_t a, std::size_t b, bool apart);

  TimePoint now() const { return net_.now(); }
  void run_for(Duration time) { net_.run_for(time); }
  bool run_until(Duration limit, const std::function<bool()>& done) {
    return net_.run_until(limit, done);
  }
  /// Each of the two has a session under a post-quantum key with the other.
  bool joined(std::size_t a, std::size_t b) const;
  bool all_joined() const;

  testing::Sim& net() { return net_; }
  testing::StreamNet& streams() { return streams_; }

 private:
  class Server;
  class Machine;
  struct Host;

  Node::Limits limits_;
  testing::SeededRandom random_;
  testing::Sim net_;
  testing::StreamNet streams_;
  std::unique_ptr<server::MemoryStore> store_;
  std::unique_ptr<server::MemoryKeyFiles> key_files_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::set<std::pair<std::size_t, std::size_t>> partitions_;
};

}  // namespace trellis::mesh
