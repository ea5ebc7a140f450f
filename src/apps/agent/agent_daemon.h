#pragma once

#include "apps/agent/mesh_agent.h"
#include "apps/agent/network_file.h"
#include "node/agent/status_json.h"
#include "system/ipc.h"
#include "system/loop.h"
#include "system/state_folder.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::apps {

/// `trellisd`: answers the control socket, and is in the network that it was told to join.
///
///        up            joined           down
///   Out ----> (agent) -------> Member <------> Down      logout: from anywhere to Out
///
/// One request a line, JSON (root only, but for the first):
///   {"command": "status"}
///   {"command": "up", "server": JOIN LINE, "setup_key": T, "hostname": T, "mode": T}  all optional
///   {"command": "down"}   {"command": "logout", "force": bool}   {"command": "trust", "peer": T}
class AgentDaemon {
 public:
  struct Options {
    std::string state_folder;
    std::string control_socket;
    std::string allowed_domain;  // of networks, besides those under "internal"
  };

  /// Goes up at once if the machine was up. `loop` must outlive the result.
  static Result<std::unique_ptr<AgentDaemon>> create(system::Loop& loop, Options options);
  AgentDaemon(const AgentDaemon&) = delete;
  AgentDaemon& operator=(const AgentDaemon&) = delete;
  ~AgentDaemon() = default;

  /// Tries server and paths anew. [SIGHUP]
  void retry_now();

 private:
  AgentDaemon(system::Loop& loop, system::StateFolder folder, std::string allowed_domain)
      : loop_(loop), folder_(std::move(folder)), allowed_domain_(std::move(allowed_domain)) {}

  void make_keys_early();
  std::string answer(const system::IpcCaller& caller, std::string_view request);
  agent::Json status() const;
  Result<> command(const std::string& name, const agent::Json& request);
  Result<> go_up(const agent::Json& request);
  Result<> go_down();
  Result<> log_out(bool force);
  Result<NetworkFile> network_of(const agent::Json& request) const;
  Result<> start_agent(std::optional<SecretBuffer> setup_key);
  Result<> load_network();
  Result<> save_network(const NetworkFile& network);
  Result<> forget_network();
  void stop_agent();
  void finish_log_out();

  system::Loop& loop_;
  system::StateFolder folder_;
  std::string allowed_domain_;
  std::optional<NetworkFile> network_;
  std::string log_out_error_;  // of the last attempt
  std::unique_ptr<MeshAgent> agent_;
  bool leaving_ = false;  // the agent has asked the server to forget this machine
  /// How that ended. Inside of the agent's call: it is acted on afterwards, before anything else.
  std::optional<mesh::LoggedOut> left_;
  std::optional<system::IpcServer> control_;
};

}  // namespace trellis::apps
