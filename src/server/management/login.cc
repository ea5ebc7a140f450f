#include "server/management/login.h"

#include "base/log.h"
#include "crypto/kem.h"
#include "protocol/control/key_text.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/message.h"
#include "protocol/control/setup_key.h"
#include "server/management/label.h"

#include <algorithm>

namespace trellis::server {
namespace {

using grpc::Status;
using grpc::StatusCode;
using wire::management::LoginRequest;
using wire::management::LoginResponse;
using wire::management::PeerSystemMeta;

constexpr std::size_t kClaimMax = 128;  // bytes of a text that a machine says of itself
constexpr int kRefusalsLogged = 10;     // a minute; the others at debug
constexpr std::int64_t kMinute = 60'000'000'000;

/// What strangers say may be of any length and hold anything. Printable ASCII stays: half a
/// character of UTF-8 would make every map that tells of it unreadable, and a terminal takes some
/// whole ones for commands.
std::string claim(const std::string& text) {
  std::string kept = text.substr(0, kClaimMax);
  for (char& c : kept) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return kept;
}

/// One answer for all reasons: who guesses learns nothing.
Status bad_setup_key() {
  return {StatusCode::InvalidArgument,
          "the setup key is wrong, expired, revoked or used up: ask an administrator for a new one "
          "(trellis server setup-key create)"};
}

Status other_key(const std::string& name) {
  return {StatusCode::FailedPrecondition,
          "this machine has another Rosenpass key than when it joined: if that is meant, an "
          "administrator must say so on the server (trellis server peer trust " +
              name + ")"};
}

}  // namespace

Status not_a_member() {
  return {StatusCode::PermissionDenied,
          "no peer auth method provided, please use a setup key or interactive SSO login"};
}

Status cannot_store(const Error& error) {
  LOG(warn, "server", "what a machine asks for cannot be stored: {}", error.message);
  return {
      StatusCode::Unavailable,
      "the server cannot store what you ask for; its log tells why, and it is worth another try"};
}

Expected<std::optional<OwnAgent>, Status> Login::own_agent(const LoginRequest& request,
                                                           const Origin& origin) {
  if (!request.has_trellis()) return std::nullopt;
  const auto& said = request.trellis();
  if (!crypto::equal(control::field_bytes(said.connection_nonce()), origin.connection_nonce)) {
    return fail(Status{StatusCode::Unauthenticated,
                       "the login is not of this connection: get the server's key again"});
  }
  OwnAgent agent;
  const ByteView instance = control::field_bytes(said.instance());
  if (instance.size() != agent.instance.size()) {
    return fail(Status{StatusCode::InvalidArgument, "an instance has 16 bytes"});
  }
  agent.instance = to_array<16>(instance);
  if (said.key_name().empty()) return agent;
  agent.key_name = control::read_key_name(said.key_name());
  if (!agent.key_name) {
    return fail(Status{StatusCode::InvalidArgument, "the name of a Rosenpass key has 33 bytes"});
  }
  if (!crypto::find_suite(std::to_integer<std::uint8_t>(agent.key_name->front()))) {
    return fail(Status{StatusCode::InvalidArgument, "the server does not know this kind of key"});
  }
  return agent;
}

Expected<LoginResponse, Status> Login::handle(const crypto::PublicKey& sender,
                                              const LoginRequest& request,
                                              const std::optional<OwnAgent>& ours,
                                              const Origin& origin) {
  const bool admitted = !roster_.find(sender);
  if (const PeerRecord* known = roster_.find(sender)) {
    TRY(check_key(*known, ours, origin));
    roster_.touch(sender, origin.wall);
    // A member works on when the disk is full; what it says of itself is for lists.
    if (const auto kept = take_meta(origin.now, origin.wall, sender, request.meta()); !kept) {
      LOG(warn, "server", "cannot store what {} says of itself: {}", known->name,
          kept.error().message);
    }
  } else {
    TRY(admit(sender, request, ours, origin));
  }
  const PeerRecord& peer = *roster_.find(sender);
  LoginResponse response;
  *response.mutable_peer_config() = writer_.peer_config(peer);
  response.mutable_session_expires_at();  // never
  if (!ours) return response;
  auto& reply = *response.mutable_trellis();
  reply.set_name(peer.name);
  reply.set_domain(roster_.network().domain);
  if (peer.key_name && !files_.is_complete(*peer.key_name)) {
    reply.set_key_wanted(true);
    reply.set_key_offset(std::min(files_.size(*peer.key_name), key_bytes_));
  }
  if (const std::string wanted = label_of(request.meta().hostname());
      admitted && wanted != peer.name) {
    reply.add_warnings("another machine is named " + wanted + ": this one is " + peer.name);
  }
  return response;
}

Expected<void, Status> Login::admit(const crypto::PublicKey& sender, const LoginRequest& request,
                                    const std::optional<OwnAgent>& ours, const Origin& origin) {
  if (request.setup_key().empty()) return fail(not_a_member());
  const auto setup_key = control::SetupKey::parse(request.setup_key());
  if (setup_key && setup_key->is_nil()) return fail(not_a_member());
  if (!setup_key) {
    log_refusal(KeyRefusal::Unknown, origin);
    return fail(bad_setup_key());
  }
  Introduction introduction;
  introduction.key = sender;
  introduction.host_name = claim(request.meta().hostname());
  introduction.version = claim(request.meta().netbird_version());
  introduction.system = claim(request.meta().go_os());
  if (ours && ours->key_name) {
    TRY(check_free(*ours->key_name));
    introduction.key_name = ours->key_name;
    introduction.key_complete = files_.is_complete(*ours->key_name);
  }
  const auto admitted = roster_.admit(introduction, *setup_key, origin.wall);
  if (!admitted) {
    if (const auto* refusal = std::get_if<KeyRefusal>(&admitted.error())) {
      log_refusal(*refusal, origin);
      return fail(bad_setup_key());
    }
    return fail(cannot_store(std::get<Error>(admitted.error())));
  }
  LOG(info, "server", "new machine name={} address={} setup_key={} from={}", (*admitted)->name,
      (*admitted)->v4.to_string(), (*admitted)->setup_key, origin.source);
  return {};
}

Expected<void, Status> Login::check_free(const KeyName& name) const {
  for (const auto& [key, peer] : roster_.peers()) {
    if (peer.key_name != name) continue;
    return fail(Status{StatusCode::FailedPrecondition,
                       "another machine has this Rosenpass key: make a new one (remove what was "
                       "copied from it)"});
  }
  return {};
}

/// A key that a machine named at its first login stays, until an administrator says otherwise: else
/// who has its WireGuard key could bring a Rosenpass key of his own, or none.
Expected<void, Status> Login::check_key(const PeerRecord& peer, const std::optional<OwnAgent>& ours,
                                        const Origin& origin) {
  const std::optional<KeyName> named = ours ? ours->key_name : std::nullopt;
  PeerRecord changed = peer;
  if (named == peer.key_name) {
    if (!named || peer.key_complete || !files_.is_complete(*named)) return {};
    changed.key_complete = true;  // we ended between the file and the record
    return store(changed, origin.wall);
  }
  if (!peer.key_name) {  // a stock agent before
    TRY(check_free(*named));
    changed.key_name = named;
    changed.key_complete = files_.is_complete(*named);
    return store(changed, origin.wall);
  }
  Claim other;
  other.asked_key = named.value_or(kNoKey);
  if (const auto kept = claims_.take(origin.now, origin.wall, peer.key, other); !kept) {
    return fail(cannot_store(kept.error()));
  }
  return fail(other_key(peer.name));
}

Expected<void, Status> Login::store(const PeerRecord& peer, WallTime now) {
  if (const auto stored = roster_.update(peer, now); !stored) {
    return fail(cannot_store(stored.error()));
  }
  return {};
}

Result<> Login::take_meta(TimePoint now, WallTime wall, const crypto::PublicKey& sender,
                          const PeerSystemMeta& meta) {
  return claims_.take(now, wall, sender,
                      {.asked_key = std::nullopt,
                       .host_name = claim(meta.hostname()),
                       .version = claim(meta.netbird_version()),
                       .system = claim(meta.go_os())});
}

void Login::log_refusal(KeyRefusal refusal, const Origin& origin) {
  if (origin.wall.nanoseconds_since_epoch - logged_.nanoseconds_since_epoch > kMinute) {
    logged_ = origin.wall;
    logged_now_ = 0;
  }
  if (++logged_now_ <= kRefusalsLogged) {
    LOG(warn, "server", "setup key refused: {} from={}", to_string(refusal), origin.source);
  } else {
    LOG(debug, "server", "setup key refused: {} from={}", to_string(refusal), origin.source);
  }
}

}  // namespace trellis::server
