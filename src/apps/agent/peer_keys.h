#pragma once

#include "node/mesh/key_cache.h"
#include "system/mapped_file.h"

#include <map>
#include <string>

namespace trellis::apps {

/// The public keys of peers in a folder, a file each: mapped while they are in use, checked against
/// their names when they are opened.
class PeerKeys final : public mesh::KeyCache {
 public:
  /// Makes the folder, 0700, if there is none.
  static Result<PeerKeys> open(std::string folder);

  ByteView find(const pair::KeyName& name) override;
  Result<> put(const pair::KeyName& name, ByteView bytes) override;
  void keep(const std::set<pair::KeyName>& names) override;

 private:
  explicit PeerKeys(std::string folder) : folder_(std::move(folder)) {}
  std::string path_of(const pair::KeyName& name) const;
  const system::MappedFile* map(const pair::KeyName& name);

  std::string folder_;
  std::map<pair::KeyName, system::MappedFile> mapped_;
};

}  // namespace trellis::apps
