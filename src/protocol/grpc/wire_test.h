#pragma once

#include "base/bytes.h"
#include "protocol/grpc/client_connection.h"
#include "protocol/grpc/server_connection.h"
#include "testing/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace trellis::grpc {

inline std::string text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline ByteVector pattern(std::size_t size, std::uint8_t seed = 1) {
  ByteVector bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>((i * 31 + i / 251 + seed) & 0xff);
  }
  return bytes;
}

/// A client and a server in virtual time, with a byte stream in each direction that comes in pieces
/// of random sizes.
class Wire {
 public:
  explicit Wire(std::uint64_t seed = 1, ServerLimits limits = {},
                ClientOptions options = {.authority = "server.test"})
      : client(now_, std::move(options)), server(now_, limits), random_(seed) {}

  TimePoint now() const { return now_; }
  void set_piece_max(std::size_t bytes) { piece_max_ = bytes; }
  /// The transport to the client takes nothing while it is stopped.
  void stop_to_client(bool stopped) { to_client_stopped_ = stopped; }
  void stop_to_server(bool stopped) { to_server_stopped_ = stopped; }
  /// The events of the server are left in it.
  void leave_server_events(bool leave) { leave_server_events_ = leave; }
  void leave_client_events(bool leave) { leave_client_events_ = leave; }

  /// Moves bytes until nothing moves any more. `on_server` answers events as they come.
  void flush() {
    for (bool moved = true; moved;) {
      drain_events();
      moved = !to_server_stopped_ && move(client.poll_transmit(), to_server_);
      moved |= !to_client_stopped_ && move(server.poll_transmit(), to_client_);
      moved |= deliver(to_server_, server);
      moved |= deliver(to_client_, client);
    }
    drain_events();
  }

  void run_for(Duration time) {
    const TimePoint end = now_ + time;
    flush();
    for (;;) {
      const auto next = earlier(client.next_timeout(), server.next_timeout());
      if (!next || *next > end) break;
      now_ = std::max(now_, *next);
      client.handle_timeout(now_);
      server.handle_timeout(now_);
      flush();
    }
    now_ = end;
  }

  /// The next event of the server, which must be an `E`.
  template <class E>
  E server_event() {
    return next<E>(server_events);
  }
  template <class E>
  E client_event() {
    return next<E>(client_events);
  }
  bool quiet() const { return server_events.empty() && client_events.empty(); }

  // In front of the engines, which are made with it.
 private:
  TimePoint now_{1h};

 public:
  ClientConnection client;
  ServerConnection server;
  std::deque<ServerEvent> server_events;
  std::deque<ClientEvent> client_events;
  std::size_t bytes_to_server = 0;
  std::size_t bytes_to_client = 0;
  std::function<void(const ServerEvent&)> on_server;

 private:
  template <class E, class Variant>
  static E next(std::deque<Variant>& events) {
    if (events.empty()) {
      ADD_FAILURE() << "no event";
      return {};
    }
    Variant event = std::move(events.front());
    events.pop_front();
    if (!std::holds_alternative<E>(event)) {
      ADD_FAILURE() << "another event, number " << event.index() << " of its kinds";
      return {};
    }
    return std::get<E>(std::move(event));
  }

  void drain_events() {
    while (!leave_server_events_) {
      auto event = server.poll_event();
      if (!event) break;
      if (on_server) on_server(*event);
      server_events.push_back(*std::move(event));
    }
    while (!leave_client_events_) {
      auto event = client.poll_event();
      if (!event) break;
      client_events.push_back(*std::move(event));
    }
  }

  static bool move(const ByteVector& bytes, ByteVector& stream) {
    append(stream, bytes);
    return !bytes.empty();
  }

  template <class Engine>
  bool deliver(ByteVector& stream, Engine& engine) {
    if (stream.empty()) return false;
    ByteView rest = stream;
    while (!rest.empty()) {
      const std::size_t most = std::min(piece_max_, rest.size());
      const std::size_t piece = 1 + static_cast<std::size_t>(random_.below(most));
      const ByteView taken = rest.first(std::min(piece, rest.size()));
      engine.receive(now_, taken);
      rest = rest.subspan(taken.size());
      drain_events();
    }
    (std::is_same_v<Engine, ServerConnection> ? bytes_to_server : bytes_to_client) += stream.size();
    stream.clear();
    return true;
  }

  testing::SeededRandom random_;
  std::size_t piece_max_ = 20'000;
  ByteVector to_server_;
  ByteVector to_client_;
  bool to_client_stopped_ = false;
  bool to_server_stopped_ = false;
  bool leave_server_events_ = false;
  bool leave_client_events_ = false;
};

}  // namespace trellis::grpc
