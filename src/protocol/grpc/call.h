#pragma once

#include "base/time.h"
#include "protocol/grpc/event.h"
#include "protocol/grpc/headers.h"
#include "protocol/grpc/message_reader.h"
#include "protocol/grpc/send_queue.h"

#include <cstddef>
#include <optional>

namespace trellis::grpc {

/// What the owner of the connection may still do with a call, and hear of it.
///
///   server:  Receiving --(request read)--> Open --finish--> Closing    --(stream closed)--> gone
///   client:  Open ------half_close------> HalfClosed
///   both:    any --reset, deadline, cancel--> Closing
enum class CallState : std::uint8_t {
  Receiving,   // server: the headers are not complete; the owner does not know the call
  Open,        // the owner may send
  HalfClosed,  // client: the owner has sent all, and hears the answer
  Closing,     // the owner is done with it: what is queued goes out, what comes is dropped
};

/// One call, from its first header until its stream is closed.
struct Call {
  CallState state = CallState::Open;
  std::optional<TimePoint> deadline;

  // Receiving.
  HeaderCollector headers;  // of the frame that is coming
  MessageReader reader;
  std::size_t owed_bytes = 0;  // of flow control: came, and not given back to the window yet
  bool answered = false;       // client: the first headers have come
  bool peer_done = false;      // the peer has sent all

  // Sending.
  SendQueue queue;
  bool headers_sent = false;        // or handed over to be sent
  bool all_queued = false;          // nothing follows what is in the queue, but ...
  std::optional<Headers> trailers;  // server: ... these
  bool reset_by_us = false;
};

}  // namespace trellis::grpc
