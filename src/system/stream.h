#pragma once

#include "base/address.h"
#include "base/result.h"
#include "base/time.h"
#include "system/loop.h"
#include "system/resolver.h"
#include "system/tls.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace trellis::system {

/// A TCP connection, with TLS or without. Everything is reported from the loop, never from inside a
/// call; a callback may destroy the stream. Destroyed, it is cut off at once and calls back no
/// more.
class Stream {
 public:
  struct Events {
    std::function<void()> connected{};  // the handshake is done: connect() only
    /// The bytes are there during the call only.
    std::function<void(ByteView)> received{};
    /// After send() returned false: there is room again.
    std::function<void()> writable{};
    /// The last event: nobody cared to answer, the peer hung up, or what went wrong.
    std::function<void(const std::string& why)> closed{};
  };

  struct ConnectOptions {
    std::string host{};  // a name or an address
    std::uint16_t port = 443;
    std::uint32_t mark = 0;    // SO_MARK; 0: none
    Duration timeout = 10s;    // until `connected`; names and all addresses included
    Duration stagger = 250ms;  // an address that does not answer: the next one is tried, too
    std::size_t queue_bytes_max = 256 << 10;
  };

  /// Finds the addresses of `host` and connects to the first that answers. What goes wrong comes as
  /// `closed`. `loop` and `resolver` must outlive the stream.
  static Stream connect(Loop& loop, Resolver& resolver, std::optional<ClientTls> tls,
                        const ConnectOptions& options, Events events);

  Stream();
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  /// Of an accepted stream, which reads nothing before.
  void start(Events events);

  /// Takes all of it, whatever it returns. False: as much is queued as should be; wait for
  /// `writable`. What is sent after close() or before `connected` is dropped.
  bool send(ByteView bytes);
  std::size_t queued_bytes() const;

  /// Sends what is queued, then hangs up in order and waits for the peer to do so, too: then comes
  /// `closed`. No more is received. Bound it by destroying the stream.
  void close();

  bool open() const;
  /// Of the handshake. Empty without TLS.
  TlsFacts tls() const;
  /// The other end. Nothing before `connected`.
  Endpoint remote() const;

  struct State;
  explicit Stream(std::shared_ptr<State> state);

 private:
  // Shared with the callback under way when the stream is destroyed.
  std::shared_ptr<State> state_;
};

}  // namespace trellis::system
