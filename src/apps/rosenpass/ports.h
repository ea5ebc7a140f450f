#pragma once

#include "base/result.h"
#include "system/datagram_socket.h"
#include "system/loop.h"

#include <functional>
#include <vector>

namespace trellis::rosenpass_program {

/// The UDP sockets of one program, and the choice among them.
class Ports {
 public:
  struct Handlers {
    /// `socket`: over which it came, for `send`.
    std::function<void(const Endpoint& from, ByteView datagram, std::size_t socket)> datagram;
    /// After a few of them.
    std::function<void()> pause;
  };

  /// Listens at each address; with none, at one port that the kernel picks, over IPv4 and IPv6.
  /// `loop` must outlive the ports.
  static Result<std::unique_ptr<Ports>> open(system::Loop& loop, std::vector<Endpoint> listen,
                                             Handlers handlers);
  Ports(const Ports&) = delete;
  Ports& operator=(const Ports&) = delete;
  ~Ports() = default;

  std::vector<Endpoint> local() const;
  /// Over `preferred` if it reaches that address, else over any that does. Returns the errno of the
  /// last attempt; 0: sent.
  int send(const Endpoint& to, ByteView datagram, std::optional<std::size_t> preferred);

 private:
  explicit Ports(Handlers handlers) : handlers_(std::move(handlers)) {}
  void receive(std::size_t socket);

  Handlers handlers_;
  std::vector<system::DatagramSocket> sockets_;
  std::vector<system::Watch> watches_;
};

}  // namespace trellis::rosenpass_program
