#pragma once

#include "node/uplink/session.h"
#include "protocol/control/envelope.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/method_names.h"
#include "protocol/control/setup_key.h"

namespace trellis::uplink {

/// Who the server is, and what proves that a box was made for this connection.
struct ServerHello {
  crypto::PublicKey key;
  Bytes<control::kConnectionNonceBytes> nonce{};
};
/// Fails on a server that is not ours: a stock one gives no nonce.
Result<ServerHello> read_server_hello(const wire::management::ServerKeyResponse& response);

/// The sealed requests. `setup_key` may be null; no plain copy of it is left.
ByteVector seal_login(const Shared& shared, const Session& session,
                      const control::SetupKey* setup_key);
ByteVector seal_sync(const Shared& shared, const Session& session, bool deltas);
ByteVector seal_empty(const Shared& shared, const Session& session);

/// What the server says of us. Nothing of it is believed unchecked.
Result<LoggedIn> read_login(const Shared& shared, const Session& session,
                            const wire::management::LoginResponse& response);

/// The 33 bytes of a key's name, as a field.
std::string key_name_bytes(const pair::KeyName& name);

/// The message in an envelope of the server. Fails if it is not the server's, or no such message.
template <class T>
Result<T> open_answer(const Session& session, ByteView message) {
  const auto envelope = control::parse_envelope(message);
  if (!envelope || envelope->sender != session.server.peer()) {
    return fail_with("the server's answer is not in its envelope");
  }
  auto answer = control::open_message<T>(session.server, envelope->body, control::kMapLimits);
  if (!answer) {
    return fail_with(std::string("the server's answer cannot be read: ") +
                     control::to_string(answer.error()));
  }
  return *std::move(answer);
}

}  // namespace trellis::uplink
