#pragma once

#include "protocol/rosenpass/key.h"
#include "protocol/rosenpass/messages.h"

namespace trellis::rosenpass {

/// Who we are: the same in every handshake.
struct Identity {
  const crypto::Suite* suite;
  Layout layout;
  StaticPublicKey own;
  SecretBuffer secret_key;
};

/// Who the other end is said to be.
struct Counterpart {
  StaticPublicKey key;
  ExchangePsk psk;
};

}  // namespace trellis::rosenpass
