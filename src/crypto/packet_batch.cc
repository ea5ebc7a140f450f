#include "crypto/packet_batch.h"

#include "base/result.h"

#include <array>
#include <cstring>

namespace trellis::crypto {

namespace {

SymmetricKey bytes_of_key(const PacketKey& key) {
  return SymmetricKey::make([&](std::span<std::byte, 32> target) {
    for (std::size_t i = 0; i < PacketKey::kWords; ++i) {
      const le32 word = key.expose()[i];
      std::memcpy(target.data() + i * sizeof word, &word, sizeof word);
    }
  });
}

void open_one(OpenPacket& packet) {
  packet.opened = false;
  if (packet.sealed.size() < kTagSize) return;
  std::array<std::byte, kPacketTextMax> scratch;
  const MutableByteView text(scratch.data(), packet.sealed.size() - kTagSize);
  packet.opened = aead_open(bytes_of_key(*packet.key).expose(), counter_nonce(packet.counter), {},
                            packet.sealed, text);
  if (packet.opened && !text.empty()) std::memcpy(packet.sealed.data(), text.data(), text.size());
  zeroise(text);
}

}  // namespace

std::string_view name(PacketKernels kernels) {
  switch (kernels) {
    case PacketKernels::Portable:
      return "portable";
    case PacketKernels::Avx2:
      return "avx2";
    case PacketKernels::Avx512:
      return "avx512";
    case PacketKernels::Avx512Ifma:
      return "avx512-ifma";
  }
  return "unknown";
}

std::span<const PacketKernels> available_packet_kernels() {
  static constexpr std::array kKernels = {PacketKernels::Portable};
  return kKernels;
}

PacketKernels best_packet_kernels() { return available_packet_kernels().back(); }

void seal(std::span<const SealPacket> packets, PacketKernels /*kernels*/) {
  for (const SealPacket& packet : packets) {
    CHECK(packet.text.size() <= kPacketTextMax);
    aead_seal(bytes_of_key(*packet.key).expose(), counter_nonce(packet.counter), {}, packet.text,
              MutableByteView(packet.target, packet.text.size() + kTagSize));
  }
}

void open(std::span<OpenPacket> packets, PacketKernels /*kernels*/) {
  for (OpenPacket& packet : packets) {
    CHECK(packet.sealed.size() <= kPacketTextMax + kTagSize);
    open_one(packet);
  }
}

}  // namespace trellis::crypto
