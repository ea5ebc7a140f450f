#pragma once

#include "base/time.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace trellis::grpc {

class FrameBuffer;

/// What a server lets one connection do and keep.
struct ServerLimits {
  std::uint32_t calls_max = 100;  // at once; more are refused and may be tried again
  /// A longer message ends its call with ResourceExhausted before anything is allocated for it.
  std::size_t message_bytes_max = (1U << 20) + (64U << 10);
  std::size_t header_bytes_max = 16U << 10;  // of a call, each header with 32 bytes on top
  /// Messages that wait for the transport or for the client's window, of all calls.
  std::size_t queued_bytes_max = 4U << 20;
  /// Messages that have begun and are not complete, of all calls, by their announced lengths; a
  /// message beyond it ends its call with ResourceExhausted. As much again may be complete and not
  /// yet taken from the queue of events: then the window stays shut.
  std::size_t received_bytes_max = 8U << 20;
  std::uint32_t resets_max = 200;   // calls a minute that the client breaks off, one way or another
  Duration ping_interval_min = 5s;  // pings that come sooner, and not after data of ours, ...
  std::uint32_t ping_strikes_max = 2;  // ... are forgiven so often
  Duration first_request = 10s;        // from the start; then the connection is closed
  Duration keepalive_interval{};       // nothing heard for so long: ping. 0: never
  Duration keepalive_timeout = 10s;    // nothing heard after the ping: closed
  /// Shared by connections of one thread, to save 16 KiB each; must outlive them. Null: its own.
  FrameBuffer* frame_buffer = nullptr;
};

/// What a client says about itself, and its bounds.
struct ClientOptions {
  std::string authority;  // host, or host:port
  std::string scheme = "https";
  std::string user_agent = "trellis";
  Duration keepalive_interval = 30s;  // nothing heard for so long: ping, with or without calls
  Duration keepalive_timeout = 10s;   // nothing heard after the ping: closed
  std::size_t message_bytes_max = 4U << 20;
  std::size_t header_bytes_max = 16U << 10;
  std::size_t queued_bytes_max = 4U << 20;     // as ServerLimits
  std::size_t received_bytes_max = 16U << 20;  // as ServerLimits
};

}  // namespace trellis::grpc
