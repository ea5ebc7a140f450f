#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "node/pair/key_name.h"

#include <cstddef>
#include <optional>
#include <set>

namespace trellis::mesh {

/// Rosenpass public keys of peers, half a megabyte each, by name. They travel once: what was
/// fetched stays, across restarts. [pair rule 6]
class KeyCache {
 public:
  virtual ~KeyCache() = default;

  /// The bytes of that key, which have been checked against its name; empty if it is not here. They
  /// stay where they are until a `keep` that does not use that name.
  virtual ByteView find(const pair::KeyName& name) = 0;
  /// Of a key that `find` gave, in V02; nothing: they have to be made.
  virtual std::optional<rosenpass::KeyDigests> digests(const pair::KeyName& name) = 0;
  /// An exchange has read that key, and no other is near.
  virtual void let_go(const pair::KeyName& name) = 0;
  /// `bytes` are the key of that name.
  virtual Result<> put(const pair::KeyName& name, ByteView bytes) = 0;
  /// Only the bytes of the `used` keys are looked at. The `known` ones, which include those, may be
  /// needed again; all others are removed after a time.
  virtual void keep(const std::set<pair::KeyName>& used, const std::set<pair::KeyName>& known) = 0;

  // The beginning of a key whose fetch has not ended: unchecked. Without it the whole is fetched.
  virtual ByteVector part(const pair::KeyName& name) = 0;
  /// What was there from `offset` on is void; `piece` follows.
  virtual void append_part(const pair::KeyName& name, std::size_t offset, ByteView piece) = 0;
};

}  // namespace trellis::mesh
