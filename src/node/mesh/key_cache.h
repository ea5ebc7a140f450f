#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "node/pair/key_name.h"

#include <set>

namespace trellis::mesh {

/// Rosenpass public keys of peers, half a megabyte each, by name. They travel once: what was
/// fetched stays, across restarts. [pair rule 6]
class KeyCache {
 public:
  virtual ~KeyCache() = default;

  /// The bytes of that key, which have been checked against its name; empty if it is not here. They
  /// stay where they are until a `keep` without that name.
  virtual ByteView find(const pair::KeyName& name) = 0;
  /// `bytes` are the key of that name.
  virtual Result<> put(const pair::KeyName& name, ByteView bytes) = 0;
  /// No other key is needed any more.
  virtual void keep(const std::set<pair::KeyName>& names) = 0;
};

}  // namespace trellis::mesh
