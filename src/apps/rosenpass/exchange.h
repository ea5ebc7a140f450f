#pragma once

#include "apps/digest_cache.h"
#include "apps/rosenpass/config.h"
#include "apps/rosenpass/key_files.h"
#include "apps/rosenpass/key_output.h"
#include "apps/rosenpass/peer_addresses.h"
#include "apps/rosenpass/ports.h"
#include "protocol/rosenpass/service.h"
#include "system/loop.h"
#include "system/random.h"
#include "system/resolver.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace trellis::rosenpass_program {

/// What `rosenpass exchange` does, between the protocol and the world: sockets, names, key files
/// and WireGuard.
///
/// A key is handed out when the other end is known to have it: as responder with InitConf, as
/// initiator with its acknowledgement (stock Rust does not wait for that). The key before stays in
/// force until then. 180 s later, if nothing replaced it, a random one takes its place.
class Exchange {
 public:
  /// Reads all keys, opens all ports. `print` gets each line for standard output. `loop` must
  /// outlive the result.
  struct Options {
    double work_factor = 1;  // see rosenpass::Service
  };
  static Result<std::unique_ptr<Exchange>> create(system::Loop& loop, const Config& config,
                                                  Options options,
                                                  std::function<void(const std::string&)> print);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() = default;

  std::vector<Endpoint> local() const { return ports_->local(); }

 private:
  struct PeerEntry {
    PeerSection section;
    system::MappedFile public_key;
    rosenpass::PeerId id{};
    rosenpass::PeerHash pid{};
    PeerAddresses addresses{};
    std::optional<std::size_t> socket{};          // over which the peer was heard
    std::optional<rosenpass::OutputKey> unset{};  // WireGuard, or the command, did not take it
  };

  Exchange(system::Loop& loop, OwnKeyFiles own, std::function<void(const std::string&)> print);
  Result<> start(const Config& config, Options options);
  Result<> add_peers(const Config& config);
  Result<> add_peer(const PeerSection& section, apps::DigestCache& cache);
  void resolve(PeerEntry& peer);
  void on_resolved(PeerEntry& peer, Result<std::vector<Endpoint>> addresses);

  void on_datagram(const Endpoint& from, ByteView datagram, std::size_t socket);
  void on_timer();
  void on_tick();
  /// Sends what the protocol wants sent, and takes its keys. After every call of it.
  void drain();
  /// The same, and arms the timer.
  void settle();
  void transmit(const rosenpass::Transmit& datagram);
  void let_keys_go();
  PeerEntry& of(rosenpass::PeerId id) { return *by_id_.at(id); }
  void on_key(const rosenpass::Service::KeyChange& change);
  void hand_out(PeerEntry& peer, const rosenpass::OutputKey& key, KeyReason reason);
  void give_to_wireguard(PeerEntry& peer, const rosenpass::OutputKey& key);

  system::Loop& loop_;
  OwnKeyFiles own_;
  std::function<void(const std::string&)> print_;
  system::SystemRandom random_;
  std::optional<rosenpass::Service> service_;
  std::vector<std::unique_ptr<PeerEntry>> peers_;
  std::unordered_map<rosenpass::PeerId, PeerEntry*> by_id_;
  std::unordered_set<rosenpass::PeerId> touched_;  // whose keys were read
  std::unique_ptr<Ports> ports_;
  std::optional<std::pair<Endpoint, std::size_t>> receiving_;  // from where, over which socket
  system::Timer timer_;
  system::Timer tick_;
  std::optional<system::Resolver> resolver_;  // the last: no callback finds the rest gone
};

}  // namespace trellis::rosenpass_program
