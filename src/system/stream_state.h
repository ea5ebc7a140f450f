#pragma once

// Internal to system: what a Stream is, for those who make one.

#include "system/descriptor.h"
#include "system/stream.h"
#include "system/tcp_connector.h"
#include "system/tls_session.h"

#include <memory>
#include <optional>

namespace trellis::system {

//   connect()                         accepted by a listener
//       |                                      |
//   Connecting ----> Handshaking <-------------+
//                     |        \ accepted
//           connected |         v
//                     |       Waiting  (nothing is read)
//                     v         | start()
//                    Open <-----+
//                     | close()
//                  Flushing ----> Draining     (we have hung up; until the peer does)
//                                    |
//   any of them, on an error or the peer's hanging up ----> Closed
struct Stream::State : std::enable_shared_from_this<Stream::State> {
  enum class Phase { Connecting, Handshaking, Waiting, Open, Flushing, Draining, Closed };

  State(Loop& loop_of_all, std::size_t queue_max) : loop(loop_of_all), queue_bytes_max(queue_max) {}

  /// Takes a connected socket and begins the handshake, if there is one to do. `on_handshake` is
  /// called from the loop with what went wrong, or nothing; it may drop the state.
  Result<> adopt(Descriptor connected, const Endpoint& from, std::optional<TlsSession> session,
                 std::function<void(const Result<>&)> on_handshake);
  void advance();
  /// advance(), soon.
  void post_advance();
  bool send(ByteView bytes);
  void close();
  /// The owner is gone, or a limit is reached: calls back no more.
  void abandon();
  /// Closed; tells the owner. From the loop only. `why` must not be of `tls`, which ends here.
  void finish(const std::string& why);

  void step_handshake();
  void read_some();
  void write_queue();
  void hang_up();
  void discard_rest();
  enum class Moved { Some, Blocked, Ended };
  Moved read_once(MutableByteView target, std::size_t& taken);
  Moved write_once(ByteView bytes, std::size_t& sent);
  Moved moved(TlsSession::Step step);
  void tell_writable();
  bool live() const { return phase != Phase::Closed; }

  Loop& loop;
  const std::size_t queue_bytes_max;
  Phase phase = Phase::Connecting;
  Stream::Events events;
  std::function<void(const Result<>&)> handshake_done;
  std::unique_ptr<TcpConnector> connector;
  std::unique_ptr<Timer> deadline;  // of connect()
  std::shared_ptr<void> slot;       // of the listener, which counts
  Endpoint remote;
  std::string error;           // why it ended, where that was found in a call of the owner
  ByteVector queue;            // to be sent
  std::size_t queue_sent = 0;  // of it, at the front
  bool wants_room = false;     // send() said that there is none
  bool posted = false;
  Descriptor socket;
  std::optional<TlsSession> tls;
  DuplexWatch watch;  // last: it ends first
};

}  // namespace trellis::system
