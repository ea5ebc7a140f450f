#pragma once

// Internal to system: from a host's name to a TCP connection.

#include "system/descriptor.h"
#include "system/stream.h"

#include <memory>
#include <string>

namespace trellis::system {

/// Finds the addresses of a host and connects to the first that answers: one after the other in the
/// resolver's order, the next one as soon as one fails or is silent for `stagger`, those before it
/// still hoping. [RFC 8305 in short] Destroyed, it stops and calls back no more.
class TcpConnector {
 public:
  struct Connected {
    Descriptor socket;
    Endpoint remote;
  };
  /// Called once, from the loop. It may destroy the connector.
  using Callback = std::function<void(Result<Connected>)>;

  TcpConnector(Loop& loop, Resolver& resolver, const Stream::ConnectOptions& options,
               Callback callback);
  TcpConnector(const TcpConnector&) = delete;
  TcpConnector& operator=(const TcpConnector&) = delete;
  ~TcpConnector();

  /// For the error when time is up: "no answer from 192.0.2.1:443".
  std::string silence() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace trellis::system
