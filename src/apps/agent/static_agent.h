#pragma once

#include "apps/agent/overlay_interface.h"
#include "apps/agent/state_file.h"
#include "apps/agent/warnings.h"
#include "apps/digest_cache.h"
#include "apps/key_store.h"
#include "apps/packet_pump.h"
#include "node/agent/agent.h"
#include "node/agent/control.h"
#include "node/netmap/peers_file.h"
#include "system/ipc.h"
#include "system/loop.h"
#include "system/mapped_file.h"
#include "system/random.h"
#include "system/resolver.h"
#include "system/state_folder.h"
#include "system/udp.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace trellis::apps {

/// `trellisd --static`: one agent and the machine around it. Carries what the agent decides to
/// sockets, devices, routes and files, and back; decides nothing itself.
class StaticAgent {
 public:
  struct Options {
    std::string peers_file;
    std::string state_folder;
    std::string control_socket;
  };

  /// Everything that can be wrong with configuration, keys and machine is found here. Nothing is
  /// left behind on failure. `loop` must outlive the result.
  static Result<std::unique_ptr<StaticAgent>> create(system::Loop& loop, Options options);
  /// Reads configuration and keys, and touches nothing else: `--check`.
  static Result<> check(const Options& options);

  StaticAgent(const StaticAgent&) = delete;
  StaticAgent& operator=(const StaticAgent&) = delete;
  ~StaticAgent();

  /// Reads the list of peers again. On an error all stays as it was. [SIGHUP]
  Result<> reload();

 private:
  struct KeyFile {
    system::MappedFile file;
    rosenpass::KeyDigests digests;
  };
  using KeyFiles = std::map<std::string, KeyFile>;  // by peer name

  StaticAgent(system::Loop& loop, Options options, system::StateFolder folder, OwnKeys keys,
              netmap::PeersFile peers);

  static Result<netmap::PeersFile> load_peers(const std::string& path,
                                              const crypto::PublicKey& own_key);
  static Result<system::MappedFile> map_key(const netmap::PeerSection& peer);
  Result<KeyFiles> map_keys(const netmap::PeersFile& peers) const;

  Result<> start();
  Result<> make_agent();
  Result<> join_loop();
  Result<> open_interface();
  std::string answer(const system::IpcCaller& caller, std::string_view request);
  void apply_peers();
  void resolve_names();
  void on_resolved(const std::string& peer, const netmap::PeerEndpoint& asked,
                   Result<std::vector<Endpoint>> endpoints);
  Result<std::vector<Endpoint>> outside_of_vpn(std::vector<Endpoint> endpoints) const;

  void on_tun_readable();
  void on_udp_readable(IpAddress::Family family);
  void on_timer();
  /// Does what the agent wants done after a call: state to disk, then datagrams, then the timer.
  void settle();
  void let_keys_go();
  agent::HostFacts facts() const;

  system::Loop& loop_;
  Options options_;
  system::StateFolder folder_;
  OwnKeys keys_;
  netmap::PeersFile peers_;
  KeyFiles key_files_;
  system::SystemRandom random_;

  Warnings warnings_;
  std::optional<StateFile> state_;
  std::optional<system::UdpSocket> udp_;
  std::unique_ptr<agent::Agent> agent_;
  std::optional<system::Resolver> resolver_;
  std::optional<system::IpcServer> control_;
  std::set<std::tuple<std::string, std::string, std::uint16_t>> resolving_;  // peer, host, port

  PacketPump<agent::Agent> pump_;

  // Last, so that they are gone before what their callbacks use.
  std::unique_ptr<OverlayInterface> interface_;
  system::Timer timer_;
  system::Timer resolve_again_;
  system::Watch udp4_watch_;
  system::Watch udp6_watch_;
};

}  // namespace trellis::apps
