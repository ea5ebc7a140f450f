#include "apps/rosenpass/digest_cache.h"

#include "base/hex.h"
#include "base/log.h"
#include "system/secure_file.h"
#include "system/state_folder.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdlib>

namespace trellis::rosenpass_program {
namespace {

constexpr std::size_t kFileBytesMax = 64 << 20;
constexpr std::size_t kFields = 10;

std::string file_in(const std::string& folder) { return folder + "/digests"; }

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

std::optional<std::string> environment(const char* variable) {
  const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): nobody sets it
  if (value == nullptr || *value != '/') return std::nullopt;
  return value;
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

std::string cache_folder() {
  if (const auto folder = environment("XDG_CACHE_HOME")) return *folder + "/trellis-rosenpass";
  if (const auto home = environment("HOME")) return *home + "/.cache/trellis-rosenpass";
  return "/var/cache/trellis-rosenpass";
}

DigestCache load_cache(const std::string& folder) {
  if (!system::file_exists(file_in(folder))) return {};
  const auto checked = system::StateFolder::open(folder);
  const auto bytes = checked ? system::read_file(file_in(folder), kFileBytesMax)
                             : Result<ByteVector>(fail(checked.error()));
  if (!bytes) {
    LOG(info, "rosenpass", "nothing is taken from the cache: {}", bytes.error().message);
    return {};
  }
  return DigestCache::parse({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
}

void save_cache(const std::string& folder, const DigestCache& cache) {
  const auto checked = system::StateFolder::open(folder);
  const auto saved =
      checked ? system::write_file_atomically(file_in(folder), as_bytes(cache.text()), 0600)
              : Result<>(fail(checked.error()));
  if (!saved) LOG(info, "rosenpass", "the cache was not written: {}", saved.error().message);
}

}  // namespace trellis::rosenpass_program
