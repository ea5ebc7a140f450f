#include "apps/digest_cache.h"

#include "base/hex.h"
#include "base/log.h"
#include "system/secure_file.h"
#include "system/state_folder.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <filesystem>

namespace trellis::apps {
namespace {

constexpr std::size_t kFileBytesMax = 64 << 20;
constexpr std::size_t kFields = 10;

std::string folder_of(const std::string& file) {
  return std::filesystem::path(file).parent_path().string();
}

/// The fields of a line, if it has that many.
std::optional<std::array<std::string_view, kFields>> split(std::string_view line) {
  std::array<std::string_view, kFields> fields;
  for (std::size_t i = 0; i < kFields; ++i) {
    const std::size_t end = std::min(line.find(' '), line.size());
    fields[i] = line.substr(0, end);
    if (fields[i].empty()) return std::nullopt;
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  if (!line.empty()) return std::nullopt;
  return fields;
}

template <class T>
bool read_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool read_digest(std::string_view text, crypto::Digest& digest) {
  const auto bytes = array_from_hex<32>(text);
  if (bytes) digest = *bytes;
  return bytes.has_value();
}

bool read_version(std::string_view text, rosenpass::Version& version) {
  version =
      text == name(rosenpass::Version::V03) ? rosenpass::Version::V03 : rosenpass::Version::V02;
  return text == name(version);
}

}  // namespace

DigestCache DigestCache::parse(std::string_view text) {
  DigestCache cache;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto fields = split(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!fields) continue;
    const auto& f = *fields;
    Key key{};
    rosenpass::KeyDigests digests{};
    if (read_number(f[0], key.first.device) && read_number(f[1], key.first.inode) &&
        read_number(f[2], key.first.size) && read_number(f[3], key.first.modified) &&
        read_number(f[4], key.first.changed) && read_version(f[5], key.second) &&
        read_digest(f[6], digests.pid.bytes) && read_digest(f[7], digests.initial_chain) &&
        read_digest(f[8], digests.mac) && read_digest(f[9], digests.biscuit_chain)) {
      cache.put(key, digests);
    }
  }
  return cache;
}

std::string DigestCache::text() const {
  std::string text;
  for (const auto& [key, digests] : entries_) {
    const auto& [stamp, version] = key;
    text += fmt::format("{} {} {} {} {} {} {} {} {} {}\n", stamp.device, stamp.inode, stamp.size,
                        stamp.modified, stamp.changed, name(version), to_hex(digests.pid.bytes),
                        to_hex(digests.initial_chain), to_hex(digests.mac),
                        to_hex(digests.biscuit_chain));
  }
  return text;
}

std::optional<rosenpass::KeyDigests> DigestCache::find(const Key& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

void DigestCache::put(const Key& key, const rosenpass::KeyDigests& digests) {
  if (entries_.size() >= kEntriesMax) entries_.clear();
  entries_.insert_or_assign(key, digests);
}

rosenpass::KeyDigests DigestCache::digests_of(const system::MappedFile& file,
                                              rosenpass::Version version) {
  const Key key{file.stamp(), version};
  if (const auto known = find(key)) return *known;
  const rosenpass::KeyDigests made = rosenpass::make_digests(file.bytes(), version);
  file.let_go();
  put(key, made);
  return made;
}

DigestCache load_digests(const std::string& file) {
  if (!system::file_exists(file)) return {};
  const auto checked = system::check_private_folder(folder_of(file));
  const auto bytes =
      checked ? system::read_file(file, kFileBytesMax) : Result<ByteVector>(fail(checked.error()));
  if (!bytes) {
    LOG(info, "keys", "nothing is taken from the cache: {}", bytes.error().message);
    return {};
  }
  return DigestCache::parse({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
}

void save_digests(const std::string& file, const DigestCache& cache) {
  const auto checked = system::make_private_folder(folder_of(file));
  const auto saved = checked ? system::write_file_atomically(file, as_bytes(cache.text()), 0600)
                             : Result<>(fail(checked.error()));
  if (!saved) LOG(info, "keys", "the cache was not written: {}", saved.error().message);
}

}  // namespace trellis::apps
