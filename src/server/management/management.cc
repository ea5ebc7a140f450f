#include "server/management/management.h"

#include "base/log.h"
#include "crypto/x25519.h"
#include "protocol/control/key_text.h"
#include "protocol/control/message.h"

#include <algorithm>
#include <set>
#include <vector>

namespace trellis::server {

using grpc::Status;
using grpc::StatusCode;

namespace {

constexpr Duration kRemoveRetry = 1min;  // when the store refused

}  // namespace

Management::Management(TimePoint now, Roster& roster, KeyFiles& files, Calls& calls, Random& random,
                       std::size_t key_bytes)
    : roster_(roster),
      files_(files),
      calls_(calls),
      random_(random),
      claims_(roster),
      writer_(roster),
      channels_(roster, random),
      login_(roster, claims_, writer_, files, static_cast<std::uint32_t>(key_bytes)),
      logins_(roster, login_, channels_, calls),
      streams_(roster, writer_, channels_, calls),
      keys_(roster, files, calls, key_bytes) {
  for (const auto& [key, peer] : roster_.peers()) note_away(now, key);
  collect_keys();
}

/// Of machines that went while the files could not be removed, or just when we ended.
void Management::collect_keys() {
  std::set<KeyName> names;
  for (const auto& [key, peer] : roster_.peers()) {
    if (peer.key_name) names.insert(*peer.key_name);
  }
  if (const auto kept = files_.keep(names); !kept) {
    LOG(warn, "server", "Rosenpass keys that are nobody's cannot be removed: {}",
        kept.error().message);
  }
}

bool Management::handle_request(TimePoint now, Session& session, CallRef call,
                                std::string_view method, ByteView message) {
  if (method == control::kGetServerKey) {
    get_server_key(session, call);
  } else if (method == control::kLogin) {
    log_in(now, session, call, message);
  } else if (method == control::kSync) {
    sync(now, session, call, message);
  } else if (method == control::kSyncMeta) {
    sync_meta(now, session, call, message);
  } else if (method == control::kLogout) {
    log_out(now, session, call, message);
  } else if (method == control::kIsHealthy) {
    answer(call, wire::management::Empty{});
  } else if (method == control::kKeyFetch) {
    keys_.fetch(now, session, call, message);
  } else if (method == control::kGetDeviceAuthorizationFlow ||
             method == control::kGetPkceAuthorizationFlow) {
    calls_.finish(call, {StatusCode::NotFound, "this server has no single sign-on"});
  } else {
    return false;
  }
  return true;
}

void Management::answer(CallRef call, const google::protobuf::Message& message) {
  calls_.send(call, control::format_message(message));
  calls_.finish(call, Status{});
}

void Management::get_server_key(const Session& session, CallRef call) {
  wire::management::ServerKeyResponse response;
  response.set_key(control::key_text(crypto::public_key(roster_.network().box)));
  response.set_connection_nonce(control::to_field(session.nonce));
  answer(call, response);
}

void Management::log_in(TimePoint now, Session& session, CallRef call, ByteView message) {
  const std::size_t before = roster_.peers().size();
  logins_.handle(now, wall_, session, call, message);
  if (roster_.peers().size() == before) return;
  for (const auto& [key, peer] : roster_.peers()) note_away(now, key);  // the new one
}

// ---- Sync ------------------------------------------------------------------------------------

Expected<void, Status> Management::may_sync(Session& session, const crypto::PublicKey& machine,
                                            const wire::management::SyncRequest& request) const {
  const PeerRecord* peer = roster_.find(machine);
  if (!peer) return fail(not_a_member());
  if (!request.has_trellis()) {
    if (!peer->key_name && !logins_.holder(machine)) return {};
    return fail(Status{StatusCode::Unauthenticated, "this machine proves who it is"});
  }
  const ByteView nonce = control::field_bytes(request.trellis().connection_nonce());
  if (!crypto::equal(nonce, session.nonce)) {
    return fail(Status{StatusCode::Unauthenticated,
                       "the request is not of this connection: get the server's key again"});
  }
  TRY(prove(session, machine));
  if (!logins_.holds(machine, session.connection)) {
    return fail(Status{StatusCode::FailedPrecondition, "log in on this connection first"});
  }
  return {};
}

void Management::sync(TimePoint now, Session& session, CallRef call, ByteView message) {
  wire::management::SyncRequest request;
  const auto sender = channels_.open(now, session, message, request);
  if (!sender) return calls_.finish(call, sender.error());
  if (const auto allowed = may_sync(session, *sender, request); !allowed) {
    return calls_.finish(call, allowed.error());
  }
  SyncStreams::Reader reader;
  reader.ours = request.has_trellis();
  reader.deltas = request.trellis().deltas();
  reader.infrastructure = infrastructure_for(session).SerializeAsString();
  session.user = *sender;
  roster_.touch(*sender, wall_);
  away_.erase(*sender);
  streams_.open(call, *roster_.find(*sender), reader);
}

void Management::sync_meta(TimePoint now, const Session& session, CallRef call, ByteView message) {
  wire::management::SyncMetaRequest request;
  const auto sender = channels_.open(now, session, message, request);
  if (!sender) return calls_.finish(call, sender.error());
  if (!roster_.find(*sender)) return calls_.finish(call, not_a_member());
  if (const auto kept = login_.take_meta(now, wall_, *sender, request.meta()); !kept) {
    return calls_.finish(call, cannot_store(kept.error()));
  }
  answer(call, wire::management::Empty{});
}

void Management::log_out(TimePoint now, const Session& session, CallRef call, ByteView message) {
  wire::management::Empty request;
  const auto sender = channels_.open(now, session, message, request);
  if (!sender) return calls_.finish(call, sender.error());
  const PeerRecord* peer = roster_.find(*sender);
  if (!peer) return calls_.finish(call, not_a_member());
  if (session.member() != *sender && (peer->key_name || logins_.holder(*sender))) {
    return calls_.finish(call, {StatusCode::Unauthenticated, "this machine proves who it is"});
  }
  LOG(info, "server", "machine {} logged out", peer->name);
  if (const auto removed = remove(now, *sender); !removed) {
    return calls_.finish(call, cannot_store(removed.error()));
  }
  answer(call, wire::management::Empty{});
}

// ---- ends ------------------------------------------------------------------------------------

void Management::handle_upload(const Session& session, CallRef call, ByteView message) {
  keys_.upload(session, call, message, wall_);
}

void Management::handle_end(TimePoint now, CallRef call) {
  if (const auto machine = streams_.close(call)) {
    roster_.touch(*machine, wall_);
    note_away(now, *machine);
  }
  logins_.ended(call);
  keys_.ended(call);
}

void Management::handle_pong(TimePoint now, ConnectionId connection, std::uint64_t opaque) {
  logins_.handle_pong(now, wall_, connection, opaque);
}

void Management::connection_closed(TimePoint now, ConnectionId connection) {
  logins_.connection_closed(now, wall_, connection);
}

void Management::drained(ConnectionId connection) {
  streams_.drained(connection);
  keys_.drained(connection);
}

// ---- time ------------------------------------------------------------------------------------

void Management::handle_timeout(TimePoint now) {
  logins_.handle_timeout(now, wall_);
  remove_away(now);
  claims_.handle_timeout(now, wall_);
  streams_.handle_timeout(now);
}

std::optional<TimePoint> Management::next_timeout() const {
  std::optional<TimePoint> next = earlier(logins_.next_timeout(), streams_.next_timeout());
  next = earlier(next, claims_.next_timeout());
  for (const auto& [machine, since] : away_) next = earlier(next, since + kEphemeralAway);
  return next;
}

void Management::note_away(TimePoint now, const crypto::PublicKey& machine) {
  const PeerRecord* peer = roster_.find(machine);
  if (peer && peer->ephemeral && !streams_.connected(machine)) away_.try_emplace(machine, now);
}

void Management::remove_away(TimePoint now) {
  std::vector<crypto::PublicKey> due;
  for (const auto& [machine, since] : away_) {
    if (since + kEphemeralAway <= now) due.push_back(machine);
  }
  for (const crypto::PublicKey& machine : due) {
    LOG(info, "server", "ephemeral machine {} is removed: it was away for too long",
        roster_.find(machine)->name);
    if (remove(now, machine)) continue;
    away_[machine] = now - kEphemeralAway + kRemoveRetry;
  }
}

// ---- members ---------------------------------------------------------------------------------

Result<> Management::remove(TimePoint, crypto::PublicKey machine) {
  const PeerRecord gone = *roster_.find(machine);
  TRY(roster_.remove(machine, wall_));
  streams_.dismiss(gone);
  logins_.forget(machine);
  claims_.forget(machine);
  channels_.forget(machine);
  keys_.forget(machine);
  away_.erase(machine);
  removed_.push_back(machine);
  if (!gone.key_name) return {};
  if (const auto removed = files_.remove(*gone.key_name); !removed) {
    LOG(warn, "server", "the Rosenpass key of {} cannot be removed: {}", gone.name,
        removed.error().message);
  }
  return {};
}

std::optional<crypto::PublicKey> Management::poll_removed() {
  if (removed_.empty()) return std::nullopt;
  const crypto::PublicKey machine = removed_.front();
  removed_.pop_front();
  return machine;
}

Result<const PeerRecord*> Management::peer_named(std::string_view text) const {
  if (const PeerRecord* peer = roster_.find(text)) return peer;
  return fail_with("there is no machine " + std::string(text) +
                   ": `trellis server peer list` shows all");
}

Result<> Management::remove_peer(TimePoint now, std::string_view peer) {
  const PeerRecord* found = TRY(peer_named(peer));
  return remove(now, found->key);
}

Result<> Management::rename_peer(std::string_view peer, const std::string& name) {
  const PeerRecord* found = TRY(peer_named(peer));
  return roster_.rename(found->key, name, wall_);
}

Result<> Management::trust_peer(std::string_view peer) {
  PeerRecord changed = *TRY(peer_named(peer));
  if (!changed.asked_key) {
    return fail_with(changed.name + " has not come with another Rosenpass key");
  }
  const std::optional<KeyName> before = changed.key_name;
  changed.key_name = changed.asked_key == kNoKey ? std::nullopt : std::optional(*changed.asked_key);
  changed.asked_key.reset();
  for (const auto& [key, other] : roster_.peers()) {
    if (changed.key_name && other.key_name == changed.key_name && key != changed.key) {
      return fail_with("the key with which " + changed.name + " came is that of " + other.name);
    }
  }
  changed.key_complete = changed.key_name && files_.is_complete(*changed.key_name);
  TRY(roster_.update(changed, wall_));
  if (!before) return {};
  return files_.remove(*before);
}

// ---- setup keys ------------------------------------------------------------------------------

Result<Management::NewSetupKey> Management::create_setup_key(const SetupKeyOrder& order) {
  constexpr std::size_t kIdDigits = 6;
  SetupKeyRecord record;
  do {
    record.id.clear();
    for (std::size_t i = 0; i < kIdDigits; ++i) {
      record.id.push_back("0123456789abcdef"[random_.below(16)]);
    }
  } while (roster_.setup_keys().contains(record.id));
  control::SetupKey key = control::SetupKey::generate(random_);
  record.hash = key.hash();
  record.name = order.name;
  record.reusable = order.reusable;
  record.usage_limit = order.reusable ? order.usage_limit : 1;
  record.ephemeral = order.ephemeral;
  record.created = wall_;
  if (order.lifetime) {
    record.expires = WallTime{wall_.nanoseconds_since_epoch + Duration(*order.lifetime).count()};
  }
  TRY(roster_.put_setup_key(record));
  return NewSetupKey{record.id, std::move(key)};
}

Result<> Management::revoke_setup_key(const std::string& id) {
  const auto it = roster_.setup_keys().find(id);
  if (it == roster_.setup_keys().end()) {
    return fail_with("there is no setup key " + id + ": `trellis server setup-key list` shows all");
  }
  SetupKeyRecord record = it->second;
  record.revoked = true;
  return roster_.put_setup_key(record);
}

}  // namespace trellis::server
