#include "crypto/packet_batch.h"

#include <algorithm>

namespace trellis::crypto {

PacketKey::PacketKey(const SymmetricKey& key) {
  for (std::size_t i = 0; i < kWords; ++i) {
    le32 word;
    std::memcpy(&word, key.expose().data() + i * sizeof word, sizeof word);
    words_[i] = word;
  }
}

PacketKey::PacketKey(PacketKey&& other) noexcept : words_(other.words_) { other.wipe(); }

PacketKey& PacketKey::operator=(PacketKey&& other) noexcept {
  if (this != &other) {
    words_ = other.words_;
    other.wipe();
  }
  return *this;
}

PacketKey::~PacketKey() { wipe(); }

void PacketKey::wipe() noexcept { zeroise(std::as_writable_bytes(std::span(words_))); }

}  // namespace trellis::crypto
