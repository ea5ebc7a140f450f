#pragma once

#include "protocol/rosenpass/dialect.h"
#include "protocol/rosenpass/key.h"
#include "protocol/rosenpass/messages.h"

#include <optional>

namespace trellis::rosenpass {

/// Who we are in one dialect: the same in every handshake.
struct Identity {
  const crypto::Suite* suite;
  Layout layout;
  StaticPublicKey own;
  ByteView secret_key;  // stays with the owner

  Dialect dialect() const { return {own.version, suite}; }
};

/// Who the other end is said to be; its key is hashed as the dialect wants.
struct Counterpart {
  StaticPublicKey key;
  ExchangePsk psk;
  std::optional<crypto::Digest> output_label = std::nullopt;  // nothing: the usual one
};

}  // namespace trellis::rosenpass
