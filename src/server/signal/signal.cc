#include "server/signal/signal.h"

#include "protocol/control/envelope.h"
#include "protocol/control/key_text.h"

namespace trellis::server {

using grpc::Status;
using grpc::StatusCode;

void Signal::connect(const Session& session, CallRef call, const grpc::Metadata& metadata) {
  const auto id = grpc::find(metadata, control::kPeerIdMetadata);
  const auto machine = id ? control::parse_key_text(*id) : std::nullopt;
  if (!machine) {
    return calls_.finish(call, {StatusCode::InvalidArgument, "who registers is not said"});
  }
  using Standing = Switchboard::Standing;
  const Standing unproven =
      channels_.seen_at(*machine, session.source) ? Standing::Near : Standing::Claimed;
  const Standing standing = session.member() ? Standing::Proven : unproven;
  const auto displaced = switchboard_.enter(session, call, *machine, standing);
  if (!displaced) return calls_.finish(call, displaced.error());
  if (*displaced) calls_.finish(**displaced, {StatusCode::Unknown, "peer registered again"});
  calls_.send_headers(call, {{std::string(control::kPeerRegisteredMetadata), "1"}});
}

void Signal::send(TimePoint now, const Session& session, CallRef call, ByteView message) {
  if (const auto taken = forward(now, session, message); !taken) {
    return calls_.finish(call, taken.error());
  }
  calls_.send(call, {});  // an EncryptedMessage without fields
  calls_.finish(call, Status{});
}

void Signal::forward_from_stream(TimePoint now, const Session& session, CallRef call,
                                 ByteView message) {
  if (const auto taken = forward(now, session, message); taken) return;
  switchboard_.leave(call);
  calls_.finish(call, {StatusCode::PermissionDenied, "this message is not yours"});
}

/// Only what is wrong with the sender is an error; the receiver's troubles are not his to know.
Expected<void, Status> Signal::forward(TimePoint now, const Session& session, ByteView message) {
  const auto envelope = control::parse_signal_envelope(message);
  if (!envelope) {
    return fail(Status{StatusCode::InvalidArgument,
                       std::string("the message cannot be read: ") + to_string(envelope.error())});
  }
  TRY(switchboard_.may_send(session, envelope->sender));
  TokenBucket& rate = rates_.try_emplace(envelope->sender, kPerSecond, kBurst).first->second;
  if (!rate.take(now)) {
    ++counters_.too_many;
    return {};
  }
  const auto call = switchboard_.route(envelope->sender, envelope->receiver);
  if (call && calls_.queued_bytes(*call) < kQueuedBytesMax && calls_.send(*call, message)) {
    ++counters_.forwarded;
  } else {
    ++counters_.dropped;
  }
  return {};
}

std::optional<Switchboard::Claimant> Signal::claimant(const Session& session) {
  auto found = switchboard_.claimant(session.connection);
  if (found && found->standing == Switchboard::Standing::Claimed &&
      channels_.seen_at(found->machine, session.source)) {
    found->standing = Switchboard::Standing::Near;
    switchboard_.set_near(found->machine);
  }
  return found;
}

void Signal::remove(const crypto::PublicKey& machine) {
  rates_.erase(machine);
  if (const auto call = switchboard_.remove(machine)) {
    calls_.finish(*call, removed());
  }
}

}  // namespace trellis::server
