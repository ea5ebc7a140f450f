#pragma once

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
#include "system/route.h"
#include "system/state_folder.h"
#include "system/tun.h"
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
  /// A clean stop: the interface and its routes are gone.
  ~StaticAgent();

  /// Reads the list of peers again. On an error all stays as it was. [SIGHUP]
  Result<> reload();

 private:
  using KeyFiles = std::map<std::string, system::MappedFile>;  // by peer name

  StaticAgent(system::Loop& loop, Options options, system::StateFolder folder,
              system::Routes routes, OwnKeys keys, netmap::PeersFile peers);
  std::vector<Prefix> networks() const;

  static Result<netmap::PeersFile> load_peers(const std::string& path,
                                              const crypto::PublicKey& own_key);
  static Result<KeyFiles> map_keys(const netmap::PeersFile& peers);

  Result<> start();
  Result<> make_agent();
  Result<> join_loop();
  Result<agent::State> load_state() const;
  Result<> open_interface();
  Result<> check_overlaps();
  std::string answer(const system::IpcCaller& caller, std::string_view request);
  Result<> watch_interface();
  void apply_peers();
  void resolve_names();
  void on_resolved(const std::string& peer, const netmap::PeerEndpoint& asked,
                   Result<std::vector<Endpoint>> endpoints);
  Result<std::vector<Endpoint>> outside_of_vpn(std::vector<Endpoint> endpoints) const;

  void on_tun_readable();
  void on_udp_readable(IpAddress::Family family);
  void on_timer();
  void interface_is_gone();
  /// Does what the agent wants done after a call: state to disk, then datagrams, then the timer.
  void settle();
  void save_state(const std::string& text);
  agent::HostFacts facts() const;
  void warn(const std::string& topic, std::string text);

  system::Loop& loop_;
  Options options_;
  system::StateFolder folder_;
  system::Routes routes_;
  OwnKeys keys_;
  netmap::PeersFile peers_;
  KeyFiles key_files_;
  system::SystemRandom random_;

  std::optional<system::UdpSocket> udp_;
  std::optional<system::Tun> tun_;
  std::unique_ptr<agent::Agent> agent_;
  std::optional<system::Resolver> resolver_;
  std::optional<system::IpcServer> control_;
  std::map<std::string, std::string> warnings_;                              // by topic
  std::set<std::tuple<std::string, std::string, std::uint16_t>> resolving_;  // peer, host, port
  std::string unsaved_state_;   // the text that could not be written
  bool remove_guards_ = false;  // at the end: they are ours, not what a killed predecessor left

  PacketPump<agent::Agent> pump_;

  // Last, so that they are gone before what their callbacks use.
  system::Timer timer_;
  system::Timer retry_interface_;
  system::Timer resolve_again_;
  system::Timer save_again_;
  system::Watch tun_watch_;
  system::Watch udp4_watch_;
  system::Watch udp6_watch_;
};

}  // namespace trellis::apps
