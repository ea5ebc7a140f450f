#pragma once

#include "crypto/kem.h"
#include "protocol/rosenpass/version.h"

namespace trellis::rosenpass {

/// What two ends must agree on beforehand, for nothing on the wire tells it.
struct Dialect {
  Version version = Version::V02;
  const crypto::Suite* suite = nullptr;  // nothing: the node's own
  friend bool operator==(const Dialect&, const Dialect&) = default;
};

}  // namespace trellis::rosenpass
