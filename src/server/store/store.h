#pragma once

#include "base/result.h"
#include "server/store/records.h"

#include <set>

namespace trellis::server {

/// Where the server keeps what it must not forget. One writer: ours.
class Store {
 public:
  virtual ~Store() = default;
  virtual Result<Snapshot> load() = 0;
  /// When this returns without an error the changes are on disk, whatever happens next; with an
  /// error none of them is. Memory is changed and answers are sent only after it.
  virtual Result<> commit(const Changes& changes) = 0;
};

/// Where the Rosenpass public keys of machines lie: half a megabyte each, so not in memory and not
/// in the store. What is here can be uploaded again.
class KeyFiles {
 public:
  virtual ~KeyFiles() = default;
  /// How many bytes of an unfinished or complete key are here.
  virtual std::uint32_t size(const KeyName& name) = 0;
  /// Adds a piece at the end, which is at `offset`.
  virtual Result<> append(const KeyName& name, std::uint32_t offset, ByteView piece) = 0;
  /// All bytes are here and were found to be that key: it may be read from now on.
  virtual Result<> complete(const KeyName& name) = 0;
  virtual bool is_complete(const KeyName& name) = 0;
  /// At most `length` bytes, fewer at the end of the key.
  virtual Result<ByteVector> read(const KeyName& name, std::uint32_t offset,
                                  std::uint32_t length) = 0;
  virtual Result<> remove(const KeyName& name) = 0;
  /// Removes all others, whole or not.
  virtual Result<> keep(const std::set<KeyName>& names) = 0;
};

}  // namespace trellis::server
