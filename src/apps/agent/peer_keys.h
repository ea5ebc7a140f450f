#pragma once

#include "apps/agent/unneeded_files.h"
#include "apps/digest_cache.h"
#include "node/mesh/key_cache.h"
#include "system/mapped_file.h"

#include <map>
#include <memory>
#include <string>

namespace trellis::apps {

/// The public keys of peers in a folder:
///
/// - `SUITE-PID.pub`: a key, checked against its name before it was written; mapped while in use
/// - `SUITE-PID.part`: the beginning of one that is being fetched
/// - `digests`: of the keys, by which a file is known again (see DigestCache)
/// - `unneeded`: files that no peer needs, and since when
class PeerKeys final : public mesh::KeyCache {
 public:
  /// Makes the folder, 0700, if there is none.
  static Result<std::unique_ptr<PeerKeys>> open(std::string folder);
  PeerKeys(const PeerKeys&) = delete;
  PeerKeys& operator=(const PeerKeys&) = delete;
  ~PeerKeys() override;

  ByteView find(const pair::KeyName& name) override;
  std::optional<rosenpass::KeyDigests> digests(const pair::KeyName& name) override;
  void let_go(const pair::KeyName& name) override;
  Result<> put(const pair::KeyName& name, ByteView bytes) override;
  void keep(const std::set<pair::KeyName>& used, const std::set<pair::KeyName>& known) override;
  ByteVector part(const pair::KeyName& name) override;
  void append_part(const pair::KeyName& name, std::size_t offset, ByteView piece) override;

 private:
  struct Mapped {
    system::MappedFile file;
    rosenpass::KeyDigests digests;
  };

  explicit PeerKeys(std::string folder);
  std::string path_of(const pair::KeyName& name, const char* ending) const;
  const Mapped* map(const pair::KeyName& name);
  void save_digests_now();

  std::string folder_;
  std::map<pair::KeyName, Mapped> mapped_;
  DigestCache digests_;
  DigestCache digests_on_disk_;
  TimePoint digests_saved_{};
  UnneededFiles unneeded_;
  std::set<pair::KeyName> known_;
  std::optional<TimePoint> swept_;
};

}  // namespace trellis::apps
