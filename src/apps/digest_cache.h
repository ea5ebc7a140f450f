#pragma once

#include "protocol/rosenpass/key.h"
#include "system/mapped_file.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace trellis::apps {

/// The digests of public keys from one start to the next: 2.5 ms a key. A key file is known by its
/// place on disk, its size and its times, so it need not be read. What is wrong or missing in the
/// file costs work; wrong digests would cost exchanges with that peer, nothing else.
class DigestCache {
 public:
  using Key = std::pair<system::MappedFile::Stamp, rosenpass::Version>;

  /// One entry a line; others are skipped.
  static DigestCache parse(std::string_view text);
  std::string text() const;

  std::optional<rosenpass::KeyDigests> find(const Key& key) const;
  /// Those that are kept, else new ones, for which the file is read, and then let go.
  rosenpass::KeyDigests digests_of(const system::MappedFile& file, rosenpass::Version version);
  /// Beyond kEntriesMax it begins anew.
  void put(const Key& key, const rosenpass::KeyDigests& digests);
  static constexpr std::size_t kEntriesMax = 20'000;  // 6 MB
  bool operator==(const DigestCache&) const = default;

 private:
  std::map<Key, rosenpass::KeyDigests> entries_;
};

/// Empty if there is none, or if others may enter its folder.
DigestCache load_digests(const std::string& file);
/// Makes the folder (0700) if there is none. Failure costs time at the next start.
void save_digests(const std::string& file, const DigestCache& cache);

}  // namespace trellis::apps
