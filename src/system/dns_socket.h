#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "protocol/dns/message.h"
#include "system/loop.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace trellis::system {

/// The ports at which this host's programs ask for names: UDP and TCP, on a few addresses of ours.
///
/// Whoever asks from another address than one of these or loopback gets no answer: to other
/// machines, those of the network included, the ports look as if nobody listened behind them. What
/// a program may occupy is bounded: so many connections, each idle for so long, a query at a time.
class DnsSocket {
 public:
  struct Options {
    std::vector<IpAddress> addresses = {};  // need not be there yet
    std::uint16_t port = 53;
    std::size_t tcp_clients_max = 32;
    Duration tcp_idle_max = 5s;
  };
  /// The answer to a message; nothing: none.
  using Handler = std::function<std::optional<ByteVector>(ByteView query, dns::Transport)>;

  struct Counters {
    std::uint64_t queries = 0;
    std::uint64_t strangers = 0;  // datagrams and connections of others
    std::uint64_t refused = 0;    // connections beyond the bound
  };

  /// Fails if a port is taken or not permitted. `handler` is called from the loop, which must
  /// outlive the socket; it must not destroy it.
  static Result<DnsSocket> open(Loop& loop, Options options, Handler handler);
  DnsSocket(DnsSocket&&) noexcept;
  DnsSocket& operator=(DnsSocket&&) noexcept;
  DnsSocket(const DnsSocket&) = delete;
  DnsSocket& operator=(const DnsSocket&) = delete;
  ~DnsSocket();

  const Counters& counters() const;

 private:
  struct State;
  explicit DnsSocket(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace trellis::system
