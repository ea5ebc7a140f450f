#pragma once

#include "base/bytes.h"
#include "base/time.h"
#include "protocol/grpc/metadata.h"
#include "protocol/grpc/status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace trellis::grpc {

/// A call on its connection: the number of its HTTP/2 stream. Never used again.
enum class CallId : std::uint32_t {};

/// A client has begun a call. Server only.
struct CallStarted {
  CallId call{};
  std::string method;  // "/management.ManagementService/Login"
  Metadata metadata;
  std::optional<TimePoint> deadline;
  std::string authority{};  // by which the client reached us: "host" or "host:port"; may be empty
};

/// The server's headers have come; a call that fails at once has none. Client only.
struct HeadersReceived {
  CallId call{};
  Metadata metadata;
};

/// Taking it out of the queue opens the flow-control window again.
struct MessageReceived {
  CallId call{};
  ByteVector message;
};

/// The client has sent its last message. Server only.
struct HalfClosed {
  CallId call{};
};

/// Client: the answer is over. Server: the client cancelled the call, its deadline passed, or the
/// connection is gone: nothing can be sent any more. The last event of a call.
struct CallEnded {
  CallId call{};
  Status status;
  Metadata trailers;
};

/// The answer to our ping of that number.
struct Ponged {
  std::uint64_t opaque = 0;
};

/// The peer takes no new calls; those that run go on.
struct GoingAway {
  std::uint32_t error = 0;  // of HTTP/2; 0: it stops in an orderly way
  std::string reason;       // its words, often empty: "too_many_pings"
};

using ServerEvent =
    std::variant<CallStarted, MessageReceived, HalfClosed, CallEnded, Ponged, GoingAway>;
using ClientEvent = std::variant<HeadersReceived, MessageReceived, CallEnded, Ponged, GoingAway>;

}  // namespace trellis::grpc
