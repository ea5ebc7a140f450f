#pragma once

#include "crypto/aead.h"
#include "crypto/keys.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace trellis::crypto {

/// A key of ChaCha20-Poly1305 in the form that whole batches of packets are sealed and opened with.
/// Moves but never copies; wiped when it dies. Immutable: any number of threads may use one.
class PacketKey {
 public:
  static constexpr std::size_t kWords = 8;

  explicit PacketKey(const SymmetricKey& key);
  PacketKey(PacketKey&& other) noexcept;  // wipes its source
  PacketKey& operator=(PacketKey&& other) noexcept;
  PacketKey(const PacketKey&) = delete;
  PacketKey& operator=(const PacketKey&) = delete;
  ~PacketKey();

  /// Words 4 to 11 of the ChaCha20 state. [RFC 8439 2.3]
  std::span<const std::uint32_t, kWords> expose() const { return words_; }

 private:
  void wipe() noexcept;

  alignas(32) std::array<std::uint32_t, kWords> words_;
};

/// The longest text of a packet, in bytes: more than any datagram has.
constexpr std::size_t kPacketTextMax = (128 << 10) - 1;

/// A packet to seal under WireGuard's nonce, with empty additional data. [WG 5.4.6]
struct SealPacket {
  const PacketKey* key;
  std::uint64_t counter;
  ByteView text;
  /// `text.size() + kTagSize` bytes: ciphertext, then tag. It is `text.data()` or does not overlap
  /// with the text, nor with anything else of the batch.
  std::byte* target;
};

/// A packet to open in place: ciphertext, then tag. On success all but the last kTagSize bytes are
/// plaintext; on failure, or if it is shorter than a tag, not one byte has changed.
struct OpenPacket {
  const PacketKey* key;
  std::uint64_t counter;
  MutableByteView sealed;
  bool opened = false;  // the answer
};

/// Which instructions the batches use. All give the same bytes.
enum class PacketKernels {
  Portable,    // any processor
  Neon,        // AArch64: 8 blocks of ChaCha20, 2 of Poly1305 side by side
  Avx2,        // x86: 8 blocks of ChaCha20, 4 of Poly1305 side by side
  Avx512,      // x86: 16 and 4
  Avx512Ifma,  // x86: 16 and 8, with multiplications of 52 bits
};

/// As it stands in logs and in `status`: "avx512-ifma".
std::string_view name(PacketKernels kernels);
std::optional<PacketKernels> find_packet_kernels(std::string_view name);
/// What this processor can run, the fastest last.
std::span<const PacketKernels> available_packet_kernels();
/// What `seal` and `open` use unless told otherwise: the fastest, or what was chosen.
PacketKernels best_packet_kernels();
/// For measuring, and for processors whose wide instructions slow down all else. One that is not
/// available changes nothing: false. Not while other threads seal or open.
bool choose_packet_kernels(PacketKernels kernels);

/// Seals each packet. Keys and lengths may be mixed, and nothing needs to be aligned; the more
/// packets a call has, the less each costs. Neither allocates nor changes shared state.
void seal(std::span<const SealPacket> packets, PacketKernels kernels = best_packet_kernels());

/// Opens each packet by itself and says so in `opened`: one that is forged hinders no other.
void open(std::span<OpenPacket> packets, PacketKernels kernels = best_packet_kernels());

}  // namespace trellis::crypto
