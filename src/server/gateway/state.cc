#include "server/gateway/state.h"

#include "base/log.h"
#include "base/source_budget.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

namespace trellis::server {

using grpc::Status;
using grpc::StatusCode;

namespace {

/// What a stranger may have us keep; a login with all its fields has a few KiB.
constexpr std::size_t kStrangerBytes = 64 << 10;
/// Room for messages of signal, which have half a megabyte from stock agents.
constexpr std::size_t kMemberBytes = 4 << 20;
/// Until who was removed has heard of it.
constexpr Duration kRemovedTime = 5s;
/// Agents ping after 30 s of silence; who does not is looked after by us.
constexpr Duration kKeepalive = 45s;

grpc::ServerLimits limits_of_strangers(grpc::FrameBuffer& frame_buffer) {
  grpc::ServerLimits limits;
  limits.frame_buffer = &frame_buffer;
  limits.received_bytes_max = kStrangerBytes;
  limits.keepalive_interval = kKeepalive;
  return limits;
}

CallKind kind_of(std::string_view method) {
  if (method == control::kSignalConnectStream) return CallKind::Signal;
  if (method == control::kKeyUpload) return CallKind::Upload;
  return CallKind::Request;
}

}  // namespace

Gateway::State::State(TimePoint now, Options options, Roster roster, KeyFiles& files,
                      Random& random)
    : options_(std::move(options)),
      random_(random),
      started_(now),
      roster_(std::move(roster)),
      management_(now, roster_, files, *this, random, options_.key_bytes),
      signal_(roster_, management_.channels(), *this),
      now_(now) {}

Connection* Gateway::State::find(ConnectionId connection) const {
  const auto it = connections_.find(connection);
  return it == connections_.end() ? nullptr : it->second.get();
}

// ---- what services do ------------------------------------------------------------------------

Session* Gateway::State::session(ConnectionId connection) {
  Connection* found = find(connection);
  return found && !found->ended ? &found->session : nullptr;
}

void Gateway::State::send_headers(CallRef call, const grpc::Metadata& metadata) {
  Connection* connection = find(call.connection);
  if (!connection) return;
  connection->grpc.send_headers(call.call, metadata);
  touch(*connection);
}

bool Gateway::State::send(CallRef call, ByteView message) {
  Connection* connection = find(call.connection);
  if (!connection) return false;
  touch(*connection);
  return connection->grpc.send_message(call.call, message);
}

void Gateway::State::finish(CallRef call, const Status& status) {
  Connection* connection = find(call.connection);
  if (!connection) return;
  connection->calls.erase(call.call);
  connection->grpc.finish(call.call, status);
  touch(*connection);
}

std::size_t Gateway::State::queued_bytes(CallRef call) const {
  const Connection* connection = find(call.connection);
  return connection ? connection->grpc.queued_bytes(call.call) : 0;
}

void Gateway::State::ping(ConnectionId id, std::uint64_t opaque) {
  Connection* connection = find(id);
  if (!connection) return;
  connection->grpc.ping(now_, opaque);
  touch(*connection);
}

void Gateway::State::close(ConnectionId id, const std::string& why) {
  Connection* connection = find(id);
  if (!connection) return;
  connection->grpc.close(now_, why);
  touch(*connection);
}

// ---- what the transport does -----------------------------------------------------------------

bool Gateway::State::may_open(const IpAddress& source) const {
  const Limits& limits = options_.limits;
  if (connections_.size() >= limits.connections_max || strangers_ >= limits.strangers_max) {
    return false;
  }
  const auto it = sources_.find(source);
  return it == sources_.end() || (it->second.connections < limits.connections_per_source_max &&
                                  it->second.strangers < limits.strangers_per_source_max);
}

ConnectionId Gateway::State::open(TimePoint now, const Transport& transport) {
  now_ = now;
  const ConnectionId id{++last_connection_};
  const IpAddress source = place_of(transport.source);
  const bool admitted = may_open(source);
  Connection& connection =
      *(connections_[id] = std::make_unique<Connection>(now, limits_of_strangers(frame_buffer_)));
  connection.place = source;
  Session& session = connection.session;
  session.connection = id;
  session.source = transport.source.unmapped();
  session.encrypted = transport.encrypted;
  session.post_quantum = transport.post_quantum;
  session.transport = transport.description;
  session.authority = options_.authority;
  random_.fill(session.nonce);
  ++counters_.connections;
  if (admitted) {
    connection.counted = true;
    connection.stranger_until = now + options_.limits.stranger_time;
    ++strangers_;
    Source& counts = sources_[source];
    ++counts.connections;
    ++counts.strangers;
  } else {
    ++counters_.refused;
    LOG(debug, "server", "too many connections source={}", session.source.to_string());
    connection.grpc.close(now, "too many connections");
  }
  touch(connection);
  settle(now);
  return id;
}

void Gateway::State::receive(TimePoint now, ConnectionId id, ByteView bytes) {
  now_ = now;
  Connection* connection = find(id);
  if (!connection) return;
  connection->grpc.receive(now, bytes);
  touch(*connection);
  settle(now);
}

void Gateway::State::closed(TimePoint now, ConnectionId id) {
  now_ = now;
  Connection* connection = find(id);
  if (!connection) return;
  connection->grpc.close(now, "the transport is gone");
  drain(now, *connection);
  note_end(now, *connection);
  if (connection->deadline) deadlines_.erase({*connection->deadline, id});
  forget_source(*connection);
  connections_.erase(id);
  settle(now);
}

ByteVector Gateway::State::poll_transmit(ConnectionId id) {
  Connection* connection = find(id);
  if (!connection) return {};
  polled_ = id;
  connection->ready = false;
  ByteVector bytes = connection->grpc.poll_transmit();
  management_.drained(id);  // there is room for more
  if (bytes.empty()) bytes = connection->grpc.poll_transmit();
  touch(*connection);
  settle(now_);
  polled_.reset();
  return bytes;
}

void Gateway::State::go_away(TimePoint now) {
  now_ = now;
  for (auto& [id, connection] : connections_) {
    finish_all(now, *connection, {StatusCode::Unavailable, "the server ends, or starts again"});
    connection->grpc.go_away(now);
    touch(*connection);
  }
  settle(now);
}

// ---- time ------------------------------------------------------------------------------------

void Gateway::State::handle_timeout(TimePoint now) {
  now_ = now;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Connection& connection = *find(deadlines_.begin()->second);
    deadlines_.erase(deadlines_.begin());
    connection.deadline.reset();
    connection.grpc.handle_timeout(now);
    if (connection.stranger_until && *connection.stranger_until <= now) {
      end_stranger(now, connection);
    }
    touch(connection);
  }
  settle(now);
}

std::optional<TimePoint> Gateway::State::next_timeout() const {
  std::optional<TimePoint> next = management_.next_timeout();
  if (!deadlines_.empty()) next = earlier(next, deadlines_.begin()->first);
  return next;
}

void Gateway::State::set_deadline(Connection& connection) {
  std::optional<TimePoint> next = connection.grpc.next_timeout();
  if (!connection.ended) next = earlier(next, connection.stranger_until);
  if (next == connection.deadline) return;
  const ConnectionId id = connection.session.connection;
  if (connection.deadline) deadlines_.erase({*connection.deadline, id});
  if (next) deadlines_.insert({*next, id});
  connection.deadline = next;
}

// ---- events ----------------------------------------------------------------------------------

void Gateway::State::touch(Connection& connection) {
  if (connection.touched) return;
  connection.touched = true;
  touched_.push_back(connection.session.connection);
}

void Gateway::State::settle(TimePoint now) {
  do {
    while (!touched_.empty()) {
      const ConnectionId id = touched_.front();
      touched_.pop_front();
      Connection* connection = find(id);
      if (!connection) continue;
      connection->touched = false;
      drain(now, *connection);
      after_events(now, *connection);
    }
    management_.handle_timeout(now);
    while (const auto removed = management_.poll_removed()) dismiss(now, *removed);
  } while (!touched_.empty());
}

void Gateway::State::drain(TimePoint now, Connection& connection) {
  while (const auto event = connection.grpc.poll_event()) {
    std::visit([&](const auto& which) { handle(now, connection, which); }, *event);
  }
}

void Gateway::State::after_events(TimePoint now, Connection& connection) {
  if (connection.stranger_until && !stranger(connection)) admit(connection);
  if (connection.grpc.closed()) note_end(now, connection);
  set_deadline(connection);
  const ConnectionId id = connection.session.connection;
  if (connection.ready || polled_ == id) return;
  connection.ready = true;
  ready_.push_back(id);
}

/// Somebody logged in here, or a stock agent is registered at signal from where its logins come.
bool Gateway::State::stranger(const Connection& connection) {
  if (connection.session.user) return false;
  const auto claimant = signal_.claimant(connection.session);
  return !claimant || claimant->standing == Switchboard::Standing::Claimed;
}

/// Its time is over. Who registered at signal in the name of a stock agent that is here, but from
/// elsewhere, may stay, with all other bounds of a stranger: an agent can have two addresses.
void Gateway::State::end_stranger(TimePoint now, Connection& connection) {
  connection.stranger_until = now + options_.limits.stranger_time;
  const auto claimant = signal_.claimant(connection.session);
  if (claimant && management_.connected(claimant->machine)) return;
  connection.grpc.close(now, connection.removed ? removed().message : "nobody logged in");
}

/// No member any more: what it has open ends.
void Gateway::State::dismiss(TimePoint now, const crypto::PublicKey& machine) {
  signal_.remove(machine);
  for (const auto& [id, connection] : connections_) {
    if (connection->session.user == machine) dismiss(now, *connection);
  }
}

/// A stranger again, and not for long.
void Gateway::State::dismiss(TimePoint now, Connection& connection) {
  finish_all(now, connection, removed());
  connection.session.user.reset();
  connection.session.granted.reset();
  connection.removed = true;
  connection.stranger_until = now + kRemovedTime;
  connection.grpc.set_received_bytes_max(kStrangerBytes);
  touch(connection);
  if (!connection.counted) return;
  ++strangers_;
  ++sources_[connection.place].strangers;
}

void Gateway::State::finish_all(TimePoint now, Connection& connection, const Status& status) {
  const auto calls = connection.calls;
  for (const auto& [call, info] : calls) {
    end_call(now, {connection.session.connection, call});
    finish({connection.session.connection, call}, status);
  }
}

/// No stranger any more.
void Gateway::State::admit(Connection& connection) {
  connection.stranger_until.reset();
  connection.grpc.set_received_bytes_max(kMemberBytes);
  if (!connection.counted) return;
  --strangers_;
  --sources_[connection.place].strangers;
}

void Gateway::State::note_end(TimePoint now, Connection& connection) {
  if (std::exchange(connection.ended, true)) return;
  connection.ready = false;  // who could not take bytes hears that none follow
  const ConnectionId id = connection.session.connection;
  LOG(debug, "server", "connection ended source={} reason={}",
      connection.session.source.to_string(), connection.grpc.close_reason());
  for (const auto& [call, info] : std::exchange(connection.calls, {})) {
    end_call(now, {id, call});
  }
  management_.connection_closed(now, id);
}

void Gateway::State::forget_source(Connection& connection) {
  if (!connection.counted) return;
  const auto it = sources_.find(connection.place);
  --it->second.connections;
  if (connection.stranger_until) {
    --it->second.strangers;
    --strangers_;
  }
  if (it->second.connections == 0) sources_.erase(it);
}

/// The services hear of it; not if it was they who ended it.
void Gateway::State::end_call(TimePoint now, CallRef call) {
  management_.handle_end(now, call);
  signal_.handle_end(call);
}

void Gateway::State::handle(TimePoint, Connection& connection, const grpc::CallStarted& event) {
  ++counters_.calls;
  Session& session = connection.session;
  const CallRef call{session.connection, event.call};
  if (!event.authority.empty()) session.authority = event.authority;
  Connection::Call& info = connection.calls[event.call];
  info = {kind_of(event.method), event.method};
  if (info.kind == CallKind::Signal) signal_.connect(session, call, event.metadata);
}

void Gateway::State::handle(TimePoint now, Connection& connection,
                            const grpc::MessageReceived& event) {
  const auto it = connection.calls.find(event.call);
  if (it == connection.calls.end()) return;
  Session& session = connection.session;
  const CallRef call{session.connection, event.call};
  const std::string method = it->second.method;  // an answer ends the call
  switch (it->second.kind) {
    case CallKind::Signal:
      return signal_.forward_from_stream(now, session, call, event.message);
    case CallKind::Upload:
      return management_.handle_upload(session, call, event.message);
    case CallKind::Request:
      break;
  }
  if (method.empty()) {
    end_call(now, call);
    return finish(call, {StatusCode::InvalidArgument, "one request is enough for a call"});
  }
  it->second.method.clear();  // taken
  if (method == control::kSignalSend) return signal_.send(now, session, call, event.message);
  if (management_.handle_request(now, session, call, method, event.message)) return;
  finish(call, {StatusCode::Unimplemented, "this server has no method " + method});
}

void Gateway::State::handle(TimePoint, Connection& connection, const grpc::HalfClosed& event) {
  const auto it = connection.calls.find(event.call);
  if (it == connection.calls.end()) return;
  const CallRef call{connection.session.connection, event.call};
  switch (it->second.kind) {
    case CallKind::Signal:  // still hears
      return;
    case CallKind::Upload:
      return management_.upload_half_closed(call);
    case CallKind::Request:
      if (it->second.method.empty()) return;
      return finish(call, {StatusCode::InvalidArgument, "the call has no request"});
  }
}

void Gateway::State::handle(TimePoint now, Connection& connection, const grpc::CallEnded& event) {
  connection.calls.erase(event.call);
  end_call(now, {connection.session.connection, event.call});
}

void Gateway::State::handle(TimePoint now, Connection& connection, const grpc::Ponged& event) {
  management_.handle_pong(now, connection.session.connection, event.opaque);
}

void Gateway::State::handle(TimePoint, Connection&, const grpc::GoingAway&) {}

}  // namespace trellis::server
