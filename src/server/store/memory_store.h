#pragma once

#include "server/store/store.h"

#include <cstdint>
#include <functional>
#include <map>

namespace trellis::server {

/// A store without a disk, for simulations and tests: it outlives the servers that use it, and can
/// refuse to write.
class MemoryStore final : public Store {
 public:
  Result<Snapshot> load() override;
  Result<> commit(const Changes& changes) override;

  /// While set, `commit` fails with this message and changes nothing ("no space left on device").
  void set_failure(std::string message) { failure_ = std::move(message); }
  /// Sees each commit that succeeded.
  std::function<void(const Changes&)> committed;
  std::uint64_t commits() const { return commits_; }
  /// Takes over what another holds: restores a backup.
  void restore(const Snapshot& snapshot);

 private:
  std::optional<NetworkRecord> network_;
  std::map<crypto::PublicKey, PeerRecord> peers_;
  std::map<std::string, SetupKeyRecord> setup_keys_;
  std::string failure_;
  std::uint64_t commits_ = 0;
};

/// The same for bulk keys.
class MemoryKeyFiles final : public KeyFiles {
 public:
  /// While set, `append` fails with this message.
  void set_failure(std::string message) { failure_ = std::move(message); }
  std::uint32_t size(const KeyName& name) override;
  Result<> append(const KeyName& name, std::uint32_t offset, ByteView piece) override;
  Result<> complete(const KeyName& name) override;
  bool is_complete(const KeyName& name) override;
  Result<ByteVector> read(const KeyName& name, std::uint32_t offset, std::uint32_t length) override;
  Result<> remove(const KeyName& name) override;
  Result<> keep(const std::set<KeyName>& names) override;

 private:
  struct File {
    ByteVector bytes;
    bool complete = false;
  };
  std::map<KeyName, File> files_;
  std::string failure_;
};

}  // namespace trellis::server
