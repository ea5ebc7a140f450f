#include "apps/agent/peer_keys.h"

#include "base/hex.h"
#include "base/log.h"
#include "crypto/kem.h"
#include "system/clock.h"
#include "system/partial_file.h"
#include "system/secure_file.h"
#include "system/state_folder.h"

#include <utility>

namespace trellis::apps {
namespace {

constexpr const char* kWhole = ".pub";
constexpr const char* kPart = ".part";
constexpr const char* kDigestsFile = "/digests";
/// Keys of so many peers stay in memory.
constexpr std::size_t kKeysInMemory = 16;
/// Digests that are lost cost a few milliseconds at the next start.
constexpr Duration kSaveDigestsEvery = 1min;
constexpr Duration kSweepEvery = 1h;

std::size_t key_bytes(const pair::KeyName& name) {
  const crypto::Suite* suite = crypto::find_suite(name.suite);
  return suite ? suite->static_kem->sizes().public_key : 0;
}

}  // namespace

Result<std::unique_ptr<PeerKeys>> PeerKeys::open(std::string folder) {
  TRY(system::make_private_folder(folder));
  return std::unique_ptr<PeerKeys>(new PeerKeys(std::move(folder)));
}

PeerKeys::PeerKeys(std::string folder)
    : folder_(std::move(folder)),
      digests_(load_digests(folder_ + kDigestsFile)),
      digests_on_disk_(digests_),
      unneeded_(folder_, {kWhole, kPart}) {}

PeerKeys::~PeerKeys() { save_digests_now(); }

void PeerKeys::save_digests_now() {
  if (digests_ == digests_on_disk_) return;
  save_digests(folder_ + kDigestsFile, digests_);
  digests_on_disk_ = digests_;
}

std::string PeerKeys::path_of(const pair::KeyName& name, const char* ending) const {
  return folder_ + "/" + std::to_string(name.suite) + "-" + to_hex(name.pid.bytes) + ending;
}

ByteView PeerKeys::find(const pair::KeyName& name) {
  const auto it = mapped_.find(name);
  const Mapped* mapped = it != mapped_.end() ? &it->second : map(name);
  return mapped ? mapped->file.bytes() : ByteView();
}

std::optional<rosenpass::KeyDigests> PeerKeys::digests(const pair::KeyName& name) {
  const auto it = mapped_.find(name);
  if (it == mapped_.end()) return std::nullopt;
  return it->second.digests;
}

/// The next exchange reads it again: not worth it for few.
void PeerKeys::let_go(const pair::KeyName& name) {
  const auto it = mapped_.find(name);
  if (it != mapped_.end() && mapped_.size() > kKeysInMemory) it->second.file.let_go();
}

const PeerKeys::Mapped* PeerKeys::map(const pair::KeyName& name) {
  const std::string path = path_of(name, kWhole);
  const std::size_t size = key_bytes(name);
  if (size == 0 || !system::file_exists(path)) return nullptr;
  auto file = system::MappedFile::open(path, size);
  if (file) {
    // Those of a file that is as it was are kept; for others it is read.
    const auto digests = digests_.digests_of(*file, rosenpass::Version::V02);
    if (digests.pid == name.pid) {
      return &mapped_.emplace(name, Mapped{*std::move(file), digests}).first->second;
    }
  }
  LOG(warn, "trellisd", "{} is damaged: the key is fetched again", path);
  static_cast<void>(system::remove_file(path));
  return nullptr;
}

Result<> PeerKeys::put(const pair::KeyName& name, ByteView bytes) {
  TRY(system::write_file_atomically(path_of(name, kWhole), bytes, 0600));
  TRY(system::remove_file(path_of(name, kPart)));
  if (!map(name)) return fail_with(path_of(name, kWhole) + " cannot be read back");
  return {};
}

void PeerKeys::keep(const std::set<pair::KeyName>& used, const std::set<pair::KeyName>& known) {
  std::erase_if(mapped_, [&](const auto& entry) { return !used.contains(entry.first); });
  const TimePoint now = system::boot_now();
  if (now - digests_saved_ >= kSaveDigestsEvery) {
    save_digests_now();
    digests_saved_ = now;
  }
  if (swept_ && known == known_ && now - *swept_ < kSweepEvery) return;
  known_ = known;
  swept_ = now;
  std::set<std::string> paths;
  for (const pair::KeyName& name : known) {
    paths.insert(path_of(name, kWhole));
    paths.insert(path_of(name, kPart));
  }
  unneeded_.sweep(system::wall_now(), paths);
}

ByteVector PeerKeys::part(const pair::KeyName& name) {
  const std::string path = path_of(name, kPart);
  if (!system::file_exists(path)) return {};
  auto bytes = system::read_file(path, key_bytes(name));
  return bytes ? *std::move(bytes) : ByteVector();
}

void PeerKeys::append_part(const pair::KeyName& name, std::size_t offset, ByteView piece) {
  const std::string path = path_of(name, kPart);
  const auto written = offset == 0 && piece.empty() ? system::remove_file(path)
                                                    : system::write_part(path, offset, piece);
  if (!written) LOG(debug, "trellisd", "{}", written.error().message);
}

}  // namespace trellis::apps
