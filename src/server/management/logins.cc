#include "server/management/logins.h"

#include "base/log.h"
#include "protocol/control/message.h"

#include <span>
#include <utility>
#include <vector>

namespace trellis::server {

using grpc::Status;
using grpc::StatusCode;
using wire::management::LoginRequest;

namespace {

Origin origin_of(const Session& session, TimePoint now, WallTime wall) {
  return {session.nonce, session.source.to_string(), now, wall};
}

void wipe_setup_key(LoginRequest& request) {
  std::string& text = *request.mutable_setup_key();
  zeroise(std::as_writable_bytes(std::span(text.data(), text.size())));
  text.clear();
}

/// However the login ends.
struct SetupKeyWiper {
  LoginRequest& request;
  ~SetupKeyWiper() { wipe_setup_key(request); }
};

Status try_again() {
  return {StatusCode::Unavailable, "other logins of this machine are being decided: try again"};
}

/// "host" gets the port that its scheme means.
std::string with_port(const std::string& authority, bool encrypted) {
  const std::size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string::npos && authority.find(']', colon) == std::string::npos;
  return has_port ? authority : authority + (encrypted ? ":443" : ":80");
}

}  // namespace

wire::management::NetbirdConfig infrastructure_for(const Session& session) {
  using wire::management::HostConfig;
  wire::management::NetbirdConfig config;
  HostConfig& signal = *config.mutable_signal();
  signal.set_uri(with_port(session.authority, session.encrypted));
  signal.set_protocol(session.encrypted ? HostConfig::HTTPS : HostConfig::HTTP);
  return config;
}

Expected<void, Status> prove(Session& session, const crypto::PublicKey& machine) {
  if (session.proven && *session.proven != machine) {
    return fail(Status{StatusCode::FailedPrecondition,
                       "this connection belongs to another machine: open one of your own"});
  }
  session.proven = machine;
  return {};
}

void Logins::handle(TimePoint now, WallTime wall, Session& session, CallRef call,
                    ByteView envelope) {
  LoginRequest request;
  const SetupKeyWiper wiper{request};
  const auto sender = channels_.open(now, session, envelope, request);
  if (!sender) return calls_.finish(call, sender.error());
  const auto agent = Login::own_agent(request, origin_of(session, now, wall));
  if (!agent) return calls_.finish(call, agent.error());
  if (*agent) {
    if (const auto proven = prove(session, *sender); !proven) {
      return calls_.finish(call, proven.error());
    }
  }
  proceed(now, wall, call, *sender, request, *agent);
}

void Logins::proceed(TimePoint now, WallTime wall, CallRef call, const crypto::PublicKey& machine,
                     LoginRequest& request, const std::optional<OwnAgent>& agent) {
  const auto holder = holders_.find(machine);
  const bool rival = agent && holder != holders_.end() &&
                     holder->second.connection != call.connection &&
                     holder->second.instance != agent->instance;
  if (!rival) return answer(now, wall, call, machine, request, agent);
  const ConnectionId old = holder->second.connection;
  if (waiting_for(old).size() >= kWaitingMax) return calls_.finish(call, try_again());
  wipe_setup_key(request);  // a member needs none
  duels_[call] = {machine, std::move(request), *agent, old, now + kDuelTime};
  calls_.ping(old, ++pings_);
}

void Logins::answer(TimePoint now, WallTime wall, CallRef call, const crypto::PublicKey& machine,
                    const LoginRequest& request, const std::optional<OwnAgent>& agent) {
  Session* session = calls_.session(call.connection);
  if (!session) return;
  auto response = login_.handle(machine, request, agent, origin_of(*session, now, wall));
  if (!response) return calls_.finish(call, response.error());
  *response->mutable_infrastructure() = infrastructure_for(*session);
  if (agent) {
    const auto before = holder(machine);
    holders_[machine] = {call.connection, agent->instance};
    session->granted = machine;
    if (before && *before != call.connection) {
      calls_.close(*before, "the agent has a newer connection");
    }
  }
  session->user = machine;
  calls_.send(call, channels_.seal(machine, *response));
  calls_.finish(call, Status{});
}

/// It lives: whoever waits for its place is refused, however many there are. That they ask in such
/// numbers that not each has a ping of its own helps nobody.
void Logins::handle_pong(TimePoint, WallTime wall, ConnectionId connection, std::uint64_t) {
  for (const CallRef call : waiting_for(connection)) {
    const auto duel = duels_.extract(call);
    if (duel) refuse_copy(wall, call, duel.mapped());
  }
}

std::vector<CallRef> Logins::waiting_for(ConnectionId old) const {
  std::vector<CallRef> calls;
  for (const auto& [call, duel] : duels_) {
    if (duel.old == old) calls.push_back(call);
  }
  return calls;
}

void Logins::refuse_copy(WallTime wall, CallRef call, const Duel& duel) {
  const Session* old = calls_.session(duel.old);
  const Session* fresh = calls_.session(call.connection);
  const PeerRecord* peer = roster_.find(duel.machine);
  if (!old || !fresh || !peer) return calls_.finish(call, try_again());
  conflicts_[duel.machine] = {fresh->source.to_string(), wall};
  LOG(warn, "server", "{} at {} was refused: the same keys are in use at {}", peer->name,
      fresh->source.to_string(), old->source.to_string());
  calls_.finish(
      call, {StatusCode::FailedPrecondition,
             "the keys of this machine are in use at " + old->source.to_string() +
                 ": its state was copied, or a second agent runs there. Stop that one, or remove "
                 "the state here and join with a setup key of its own"});
}

void Logins::resume(TimePoint now, WallTime wall, CallRef call) {
  const auto it = duels_.find(call);
  if (it == duels_.end()) return;
  Duel duel = std::move(it->second);
  duels_.erase(it);
  proceed(now, wall, call, duel.machine, duel.request, duel.agent);
}

void Logins::ended(CallRef call) { duels_.erase(call); }

void Logins::connection_closed(TimePoint now, WallTime wall, ConnectionId connection) {
  std::erase_if(holders_, [&](const auto& entry) { return entry.second.connection == connection; });
  for (const CallRef call : waiting_for(connection)) resume(now, wall, call);
}

void Logins::handle_timeout(TimePoint now, WallTime wall) {
  std::vector<CallRef> won;
  for (const auto& [call, duel] : duels_) {
    if (duel.deadline <= now) won.push_back(call);
  }
  for (const CallRef call : won) {
    const auto it = duels_.find(call);
    if (it == duels_.end()) continue;
    const ConnectionId old = it->second.old;
    std::erase_if(holders_, [&](const auto& entry) { return entry.second.connection == old; });
    calls_.close(old, "silent, while another start of the agent came");
    resume(now, wall, call);
  }
}

std::optional<TimePoint> Logins::next_timeout() const {
  std::optional<TimePoint> next;
  for (const auto& [call, duel] : duels_) next = earlier(next, duel.deadline);
  return next;
}

bool Logins::holds(const crypto::PublicKey& machine, ConnectionId connection) const {
  return holder(machine) == connection;
}

std::optional<ConnectionId> Logins::holder(const crypto::PublicKey& machine) const {
  const auto it = holders_.find(machine);
  return it == holders_.end() ? std::nullopt : std::optional(it->second.connection);
}

void Logins::forget(const crypto::PublicKey& machine) {
  holders_.erase(machine);
  conflicts_.erase(machine);
}

const Logins::Conflict* Logins::conflict(const crypto::PublicKey& machine) const {
  const auto it = conflicts_.find(machine);
  return it == conflicts_.end() ? nullptr : &it->second;
}

}  // namespace trellis::server
