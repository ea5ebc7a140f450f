#pragma once

#include "server/store/store.h"

#include <set>
#include <string>

namespace trellis::system {

/// The Rosenpass public keys of machines as files of one folder, each named by its key's name in
/// hexadecimal; with ".part" as long as it is not whole.
class KeyFolder final : public server::KeyFiles {
 public:
  /// Makes the folder (0700) if there is none; that above it must be there.
  static Result<KeyFolder> open(const std::string& path);

  std::uint32_t size(const server::KeyName& name) override;
  Result<> append(const server::KeyName& name, std::uint32_t offset, ByteView piece) override;
  Result<> complete(const server::KeyName& name) override;
  bool is_complete(const server::KeyName& name) override;
  Result<ByteVector> read(const server::KeyName& name, std::uint32_t offset,
                          std::uint32_t length) override;
  Result<> remove(const server::KeyName& name) override;
  /// What is in the folder and no name of a key stays.
  Result<> keep(const std::set<server::KeyName>& names) override;

 private:
  explicit KeyFolder(std::string path) : path_(std::move(path)) {}
  std::string whole_file(const server::KeyName& name) const;
  std::string part_file(const server::KeyName& name) const;

  std::string path_;
};

}  // namespace trellis::system
