#pragma once

#include "base/address.h"
#include "base/result.h"
#include "base/time.h"
#include "system/descriptor.h"

#include <cstdint>
#include <optional>

namespace trellis::system {

/// Sends ICMP echo requests to one address and waits for their answers, as ping(8) does. [RFC 792,
/// RFC 4443 4] Blocks; for command lines only.
class EchoSocket {
 public:
  /// Takes the kernel's own ping sockets where this user may have them (net.ipv4.ping_group_range),
  /// else a raw one, which wants root or CAP_NET_RAW.
  static Result<EchoSocket> open(const IpAddress& to);

  Result<> send(std::uint16_t sequence);

  struct Answer {
    std::uint16_t sequence = 0;
    TimePoint arrived{};
  };
  /// The next answer to a request of this socket; nothing if there is none until `deadline`.
  Result<std::optional<Answer>> receive(TimePoint deadline);

 private:
  enum class Kind { Ping, Raw };
  EchoSocket(Descriptor socket, const IpAddress& to, Kind kind);
  std::optional<std::uint16_t> sequence_of(ByteView packet) const;

  Descriptor socket_;
  IpAddress to_;
  Kind kind_;
  std::uint16_t identifier_;  // of raw sockets; the kernel chooses that of the others
};

}  // namespace trellis::system
