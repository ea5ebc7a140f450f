#include "server/signal/signal.h"

#include "protocol/control/envelope.h"
#include "protocol/control/key_text.h"

namespace trellis::server {

using grpc::Status;
using grpc::StatusCode;

void Signal::connect(Session& session, CallRef call, const grpc::Metadata& metadata) {
  const auto id = grpc::find(metadata, control::kPeerIdMetadata);
  const auto machine = id ? control::parse_key_text(*id) : std::nullopt;
  if (!machine) {
    return calls_.finish(call, {StatusCode::InvalidArgument, "who registers is not said"});
  }
  const auto displaced = switchboard_.enter(call, *machine, session.member());
  if (!displaced) return calls_.finish(call, displaced.error());
  if (*displaced) calls_.finish(**displaced, {StatusCode::Unknown, "peer registered again"});
  if (!session.member()) session.claimed = machine;
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

void Signal::remove(const crypto::PublicKey& machine) {
  rates_.erase(machine);
  if (const auto call = switchboard_.remove(machine)) {
    calls_.finish(*call, {StatusCode::PermissionDenied, "this machine is not a member any more"});
  }
}

}  // namespace trellis::server
