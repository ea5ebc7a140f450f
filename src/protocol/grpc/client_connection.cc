#include "protocol/grpc/client_connection.h"

#include "protocol/grpc/connection.h"

#include <utility>

namespace trellis::grpc {

struct ClientConnection::State {
  State(TimePoint now, Options&& given)
      : options(std::move(given)),
        connection(Role::Client, now,
                   {.message_bytes_max = options.message_bytes_max,
                    .header_bytes_max = options.header_bytes_max,
                    .queued_bytes_max = options.queued_bytes_max,
                    .received_bytes_max = options.received_bytes_max,
                    .keepalive_interval = options.keepalive_interval,
                    .keepalive_timeout = options.keepalive_timeout}) {}

  const Options options;
  Connection connection;
};

ClientConnection::ClientConnection(TimePoint now, Options options)
    : state_(std::make_unique<State>(now, std::move(options))) {}
ClientConnection::ClientConnection(ClientConnection&&) noexcept = default;
ClientConnection& ClientConnection::operator=(ClientConnection&&) noexcept = default;
ClientConnection::~ClientConnection() = default;

void ClientConnection::receive(TimePoint now, ByteView bytes) {
  state_->connection.receive(now, bytes);
}

void ClientConnection::handle_timeout(TimePoint now) { state_->connection.handle_timeout(now); }

std::optional<TimePoint> ClientConnection::next_timeout() const {
  return state_->connection.next_timeout();
}

std::optional<ClientEvent> ClientConnection::poll_event() {
  auto event = state_->connection.poll_event();
  if (!event) return std::nullopt;
  return std::visit(
      [](auto&& one) -> ClientEvent {
        if constexpr (std::is_constructible_v<ClientEvent, decltype(one)>) return std::move(one);
        CHECK(false);
        return Ponged{};
      },
      *std::move(event));
}

ByteVector ClientConnection::poll_transmit() { return state_->connection.poll_transmit(); }

CallId ClientConnection::start(TimePoint now, std::string_view method, const Metadata& metadata,
                               std::optional<Duration> deadline) {
  CHECK(method.starts_with('/'));
  const Options& options = state_->options;
  return state_->connection.start(now,
                                  {.scheme = options.scheme,
                                   .authority = options.authority,
                                   .user_agent = options.user_agent,
                                   .method = method,
                                   .timeout = deadline},
                                  metadata);
}

bool ClientConnection::send_message(CallId call, ByteView message) {
  return state_->connection.send_message(call, message);
}

void ClientConnection::half_close(CallId call) { state_->connection.half_close(call); }

void ClientConnection::cancel(TimePoint now, CallId call) { state_->connection.cancel(now, call); }

std::size_t ClientConnection::queued_bytes(CallId call) const {
  return state_->connection.queued_bytes(call);
}
std::size_t ClientConnection::queued_bytes() const { return state_->connection.queued_bytes(); }
std::size_t ClientConnection::calls() const { return state_->connection.calls(); }

void ClientConnection::ping(TimePoint now, std::uint64_t opaque) {
  state_->connection.ping(now, opaque);
}

void ClientConnection::go_away(TimePoint now) { state_->connection.go_away(now); }

void ClientConnection::close(TimePoint now, std::string reason) {
  state_->connection.close(now, std::move(reason));
}

bool ClientConnection::closed() const { return state_->connection.closed(); }

const std::string& ClientConnection::close_reason() const {
  return state_->connection.close_reason();
}

}  // namespace trellis::grpc
