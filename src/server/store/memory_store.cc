#include "server/store/memory_store.h"

#include <algorithm>

namespace trellis::server {

Result<Snapshot> MemoryStore::load() {
  Snapshot snapshot;
  if (network_) snapshot.network = network_->clone();
  for (const auto& [key, peer] : peers_) snapshot.peers.push_back(peer);
  for (const auto& [id, setup_key] : setup_keys_) snapshot.setup_keys.push_back(setup_key);
  return snapshot;
}

Result<> MemoryStore::commit(const Changes& changes) {
  if (!failure_.empty()) return fail_with(failure_);
  if (changes.network) network_ = changes.network->clone();
  if (changes.serial) {
    CHECK(network_.has_value());
    network_->serial = *changes.serial;
  }
  for (const crypto::PublicKey& key : changes.removed_peers) peers_.erase(key);
  for (const PeerRecord& peer : changes.put_peers) peers_[peer.key] = peer;
  for (const SetupKeyRecord& key : changes.put_setup_keys) setup_keys_[key.id] = key;
  ++commits_;
  if (committed) committed(changes);
  return {};
}

void MemoryStore::restore(const Snapshot& snapshot) {
  network_.reset();
  peers_.clear();
  setup_keys_.clear();
  if (snapshot.network) network_ = snapshot.network->clone();
  for (const PeerRecord& peer : snapshot.peers) peers_[peer.key] = peer;
  for (const SetupKeyRecord& key : snapshot.setup_keys) setup_keys_[key.id] = key;
}

std::uint32_t MemoryKeyFiles::size(const KeyName& name) {
  const auto it = files_.find(name);
  return it == files_.end() ? 0 : static_cast<std::uint32_t>(it->second.bytes.size());
}

Result<> MemoryKeyFiles::append(const KeyName& name, std::uint32_t offset, ByteView piece) {
  if (!failure_.empty()) return fail_with(failure_);
  File& file = files_[name];
  if (file.complete || offset != file.bytes.size()) return fail_with("not at the end of the key");
  trellis::append(file.bytes, piece);
  return {};
}

Result<> MemoryKeyFiles::complete(const KeyName& name) {
  files_[name].complete = true;
  return {};
}

bool MemoryKeyFiles::is_complete(const KeyName& name) {
  const auto it = files_.find(name);
  return it != files_.end() && it->second.complete;
}

Result<ByteVector> MemoryKeyFiles::read(const KeyName& name, std::uint32_t offset,
                                        std::uint32_t length) {
  const auto it = files_.find(name);
  if (it == files_.end() || offset > it->second.bytes.size()) return fail_with("no such key");
  const ByteView rest = ByteView(it->second.bytes).subspan(offset);
  return to_vector(rest.first(std::min<std::size_t>(length, rest.size())));
}

Result<> MemoryKeyFiles::remove(const KeyName& name) {
  files_.erase(name);
  return {};
}

Result<> MemoryKeyFiles::keep(const std::set<KeyName>& names) {
  std::erase_if(files_, [&](const auto& entry) { return !names.contains(entry.first); });
  return {};
}

}  // namespace trellis::server
