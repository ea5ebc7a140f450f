#pragma once

#include "base/random.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "protocol/control/box_channel.h"
#include "protocol/control/message.h"

namespace trellis::control {

/// An EncryptedMessage of management: who says that it is from him, and a box. [netbird-wire 2.2]
struct Envelope {
  crypto::PublicKey sender;
  ByteVector body;  // nonce, tag, ciphertext
};

/// Checks the form only: the box is still closed. `BadKey` if the sender's is no key.
Expected<Envelope, MessageError> parse_envelope(ByteView message,
                                                const MessageLimits& limits = kMapLimits);
ByteVector format_envelope(const Envelope& envelope);

/// The same of signal: the server reads the addresses and forwards the bytes as they are.
struct SignalEnvelope {
  crypto::PublicKey sender;
  crypto::PublicKey receiver;
  ByteVector body;
};

Expected<SignalEnvelope, MessageError> parse_signal_envelope(
    ByteView message, const MessageLimits& limits = kSignalEnvelopeLimits);
ByteVector format_signal_envelope(const SignalEnvelope& envelope);

/// `message` in a box of `channel`, in an EncryptedMessage: from our end to its peer. The plain
/// text is wiped.
ByteVector seal_message(const BoxChannel& channel, const google::protobuf::Message& message,
                        Random& random);
ByteVector seal_signal_message(const BoxChannel& channel, const google::protobuf::Message& message,
                               Random& random);

/// What is in the box `body`. `Unopenable` unless it is of `channel`'s two keys. The plain text is
/// wiped, the message of course not.
Expected<void, MessageError> open_into(const BoxChannel& channel, ByteView body,
                                       google::protobuf::Message& message,
                                       const MessageLimits& limits = kRequestLimits);

template <class T>
Expected<T, MessageError> open_message(const BoxChannel& channel, ByteView body,
                                       const MessageLimits& limits = kRequestLimits) {
  T message;
  TRY(open_into(channel, body, message, limits));
  return message;
}

}  // namespace trellis::control
