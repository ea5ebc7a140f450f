#pragma once

#include "base/result.h"
#include "protocol/control/join_line.h"
#include "protocol/control/setup_key.h"

#include <nlohmann/json.hpp>
#include <sys/types.h>

#include <cstdint>
#include <string>

namespace trellis::bench {

/// A `trellis-server` on loopback with a state folder of its own, which goes with it.
class ServerProcess {
 public:
  /// `program`: its path. Returns when its administration answers, within 10 s.
  static Result<ServerProcess> start(const std::string& program);
  ServerProcess(ServerProcess&& other) noexcept;
  ServerProcess& operator=(ServerProcess&&) = delete;
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess();

  /// Ends it by SIGTERM, and starts it again on the same state and port.
  Result<> restart();

  /// One request of the administration. An answer that is not ok is an error.
  Result<nlohmann::json> ask(const nlohmann::json& request) const;

  struct Access {
    control::JoinLine server;
    std::string setup_key;
  };
  /// A reusable setup key.
  Result<Access> create_setup_key(std::size_t uses) const;

  pid_t pid() const { return pid_; }
  std::uint16_t port() const { return port_; }
  /// User and system time since its start; of the newest process only.
  double cpu_seconds() const;
  /// Its resident memory.
  std::uint64_t memory_bytes() const;

 private:
  ServerProcess(std::string program, std::string folder, std::uint16_t port);
  Result<> launch();
  void end();

  std::string program_;
  std::string folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace trellis::bench
