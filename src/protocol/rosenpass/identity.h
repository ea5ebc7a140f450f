#pragma once

#include "protocol/rosenpass/dialect.h"
#include "protocol/rosenpass/key.h"
#include "protocol/rosenpass/messages.h"

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
};

}  // namespace trellis::rosenpass
