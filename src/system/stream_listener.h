#pragma once

#include "system/stream.h"

#include <memory>
#include <vector>

namespace trellis::system {

/// Accepts TCP connections, does their TLS handshakes, and hands them on. Bounded in every way that
/// a stranger can use. Sources are counted by address, IPv6 ones by their /64; this host's own
/// (loopback) only in all.
class StreamListener {
 public:
  struct Options {
    std::vector<Endpoint> endpoints{};  // port 0: the kernel picks one
    std::size_t connections_max = 20'000;
    std::size_t connections_per_source_max = 2'000;  // many hosts share the address of a NAT
    std::size_t handshakes_max = 1'000;
    std::size_t handshakes_per_source_max = 200;
    Duration handshake_timeout = 10s;
    Duration accept_pause = 1s;  // when the process has no descriptors left
    std::size_t queue_bytes_max = 64 << 10;
  };
  /// `stream` is ready: call start() on it before returning, or destroy it.
  using OnAccept = std::function<void(Stream stream, const Endpoint& source)>;

  /// Fails if an endpoint is taken or not ours. Without TLS (`tls` null) every endpoint must be on
  /// loopback. `loop` and `tls` must outlive the listener; streams may, too.
  static Result<StreamListener> listen(Loop& loop, const ServerTls* tls, Options options,
                                       OnAccept on_accept);
  StreamListener(StreamListener&&) noexcept;
  StreamListener& operator=(StreamListener&&) noexcept;
  StreamListener(const StreamListener&) = delete;
  StreamListener& operator=(const StreamListener&) = delete;
  /// Takes nothing new. What was handed on stays.
  ~StreamListener();

  /// Where it listens, with the ports that the kernel picked.
  const std::vector<Endpoint>& endpoints() const;

  struct Counters {
    std::uint64_t accepted = 0;           // handed on
    std::uint64_t failed_handshakes = 0;  // timeouts, too
    std::uint64_t refused = 0;            // beyond a limit
    std::uint64_t accept_pauses = 0;
    std::uint64_t rests = 0;      // short ones, while many shake hands
    std::size_t connections = 0;  // now, handshakes included
    std::size_t handshakes = 0;   // now
  };
  Counters counters() const;

 private:
  struct State;
  explicit StreamListener(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace trellis::system
