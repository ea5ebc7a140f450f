#include "apps/agent/peer_keys.h"

#include "base/hex.h"
#include "base/log.h"
#include "crypto/kem.h"
#include "system/secure_file.h"

#include <filesystem>
#include <utility>

namespace trellis::apps {
namespace {

constexpr const char* kEnding = ".pub";

}  // namespace

Result<PeerKeys> PeerKeys::open(std::string folder) {
  std::error_code error;
  std::filesystem::create_directory(folder, error);
  if (!error) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  if (error) return fail_with(folder + ": " + error.message());
  return PeerKeys(std::move(folder));
}

std::string PeerKeys::path_of(const pair::KeyName& name) const {
  return folder_ + "/" + std::to_string(name.suite) + "-" + to_hex(name.pid.bytes) + kEnding;
}

ByteView PeerKeys::find(const pair::KeyName& name) {
  const auto it = mapped_.find(name);
  if (it != mapped_.end()) return it->second.bytes();
  const system::MappedFile* file = map(name);
  return file ? file->bytes() : ByteView();
}

const system::MappedFile* PeerKeys::map(const pair::KeyName& name) {
  const crypto::Suite* suite = crypto::find_suite(name.suite);
  const std::string path = path_of(name);
  if (!suite || !system::file_exists(path)) return nullptr;
  auto file = system::MappedFile::open(path, suite->static_kem->sizes().public_key);
  if (!file || rosenpass::peer_hash(file->bytes()) != name.pid) {
    LOG(warn, "trellisd", "{} is damaged: the key is fetched again", path);
    static_cast<void>(system::remove_file(path));
    return nullptr;
  }
  return &mapped_.emplace(name, *std::move(file)).first->second;
}

Result<> PeerKeys::put(const pair::KeyName& name, ByteView bytes) {
  TRY(system::write_file_atomically(path_of(name), bytes, 0600));
  if (!map(name)) return fail_with(path_of(name) + " cannot be read back");
  return {};
}

void PeerKeys::keep(const std::set<pair::KeyName>& names) {
  std::erase_if(mapped_, [&](const auto& entry) { return !names.contains(entry.first); });
  std::set<std::string> paths;
  for (const pair::KeyName& name : names) paths.insert(path_of(name));
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    if (paths.contains(entry.path().string())) continue;
    if (entry.path().extension() != kEnding) continue;
    static_cast<void>(system::remove_file(entry.path().string()));
  }
}

}  // namespace trellis::apps
