#include "protocol/grpc/server_connection.h"

#include "protocol/grpc/connection.h"

#include <utility>

namespace trellis::grpc {

struct ServerConnection::State {
  State(TimePoint now, const Limits& limits)
      : connection(Role::Server, now,
                   {.calls_max = limits.calls_max,
                    .message_bytes_max = limits.message_bytes_max,
                    .header_bytes_max = limits.header_bytes_max,
                    .queued_bytes_max = limits.queued_bytes_max,
                    .received_bytes_max = limits.received_bytes_max,
                    .resets_max = limits.resets_max,
                    .ping_interval_min = limits.ping_interval_min,
                    .ping_strikes_max = limits.ping_strikes_max,
                    .first_request = limits.first_request,
                    .keepalive_interval = limits.keepalive_interval,
                    .keepalive_timeout = limits.keepalive_timeout,
                    .frame_buffer = limits.frame_buffer}) {}

  Connection connection;
};

ServerConnection::ServerConnection(TimePoint now, const Limits& limits)
    : state_(std::make_unique<State>(now, limits)) {}
ServerConnection::ServerConnection(ServerConnection&&) noexcept = default;
ServerConnection& ServerConnection::operator=(ServerConnection&&) noexcept = default;
ServerConnection::~ServerConnection() = default;

void ServerConnection::receive(TimePoint now, ByteView bytes) {
  state_->connection.receive(now, bytes);
}

void ServerConnection::handle_timeout(TimePoint now) { state_->connection.handle_timeout(now); }

std::optional<TimePoint> ServerConnection::next_timeout() const {
  return state_->connection.next_timeout();
}

std::optional<ServerEvent> ServerConnection::poll_event() {
  auto event = state_->connection.poll_event();
  if (!event) return std::nullopt;
  return std::visit(
      [](auto&& one) -> ServerEvent {
        if constexpr (std::is_constructible_v<ServerEvent, decltype(one)>) return std::move(one);
        CHECK(false);
        return Ponged{};
      },
      *std::move(event));
}

ByteVector ServerConnection::poll_transmit() { return state_->connection.poll_transmit(); }

void ServerConnection::send_headers(CallId call, const Metadata& metadata) {
  state_->connection.send_headers(call, metadata);
}

bool ServerConnection::send_message(CallId call, ByteView message) {
  return state_->connection.send_message(call, message);
}

void ServerConnection::finish(CallId call, const Status& status, const Metadata& trailers) {
  state_->connection.finish(call, status, trailers);
}

std::size_t ServerConnection::queued_bytes(CallId call) const {
  return state_->connection.queued_bytes(call);
}
std::size_t ServerConnection::queued_bytes() const { return state_->connection.queued_bytes(); }
std::size_t ServerConnection::calls() const { return state_->connection.calls(); }

void ServerConnection::set_received_bytes_max(std::size_t bytes) {
  state_->connection.set_received_bytes_max(bytes);
}

void ServerConnection::ping(TimePoint now, std::uint64_t opaque) {
  state_->connection.ping(now, opaque);
}

void ServerConnection::go_away(TimePoint now) { state_->connection.go_away(now); }

void ServerConnection::close(TimePoint now, std::string reason) {
  state_->connection.close(now, std::move(reason));
}

bool ServerConnection::closed() const { return state_->connection.closed(); }

const std::string& ServerConnection::close_reason() const {
  return state_->connection.close_reason();
}

}  // namespace trellis::grpc
