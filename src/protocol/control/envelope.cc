#include "protocol/control/envelope.h"

#include "protocol/control/key_text.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/signal.pb.h"

namespace trellis::control {

namespace {

/// The key that `text` says, or `BadKey`.
Expected<crypto::PublicKey, MessageError> read_key(const std::string& text) {
  const auto key = parse_key_text(text);
  if (!key) return fail(MessageError::BadKey);
  return *key;
}

ByteVector seal(const BoxChannel& channel, const google::protobuf::Message& message,
                Random& random) {
  ByteVector plain = format_message(message);
  ByteVector sealed = channel.seal(plain, random);
  zeroise(plain);
  return sealed;
}

}  // namespace

Expected<Envelope, MessageError> parse_envelope(ByteView message, const MessageLimits& limits) {
  const auto wire = TRY(parse_message<wire::management::EncryptedMessage>(message, limits));
  const auto sender = TRY(read_key(wire.sender_key()));
  return Envelope{sender, to_vector(field_bytes(wire.body()))};
}

ByteVector format_envelope(const Envelope& envelope) {
  wire::management::EncryptedMessage wire;
  wire.set_sender_key(key_text(envelope.sender));
  wire.set_body(to_field(envelope.body));
  return format_message(wire);
}

Expected<SignalEnvelope, MessageError> parse_signal_envelope(ByteView message,
                                                             const MessageLimits& limits) {
  const auto wire = TRY(parse_message<wire::signal::EncryptedMessage>(message, limits));
  const auto sender = TRY(read_key(wire.sender()));
  const auto receiver = TRY(read_key(wire.receiver()));
  return SignalEnvelope{sender, receiver, to_vector(field_bytes(wire.body()))};
}

ByteVector format_signal_envelope(const SignalEnvelope& envelope) {
  wire::signal::EncryptedMessage wire;
  wire.set_sender(key_text(envelope.sender));
  wire.set_receiver(key_text(envelope.receiver));
  wire.set_body(to_field(envelope.body));
  return format_message(wire);
}

ByteVector seal_message(const BoxChannel& channel, const google::protobuf::Message& message,
                        Random& random) {
  return format_envelope({channel.own(), seal(channel, message, random)});
}

ByteVector seal_signal_message(const BoxChannel& channel, const google::protobuf::Message& message,
                               Random& random) {
  return format_signal_envelope({channel.own(), channel.peer(), seal(channel, message, random)});
}

Expected<void, MessageError> open_into(const BoxChannel& channel, ByteView body,
                                       google::protobuf::Message& message,
                                       const MessageLimits& limits) {
  auto plain = channel.open(body);
  if (!plain) return fail(MessageError::Unopenable);
  auto result = parse_into(*plain, message, limits);
  zeroise(*plain);
  return result;
}

}  // namespace trellis::control
