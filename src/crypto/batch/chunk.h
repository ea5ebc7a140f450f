#pragma once

// Internal to crypto: arranges the blocks of some packets in the lanes of a kernel.

#include "crypto/batch/kernels.h"
#include "crypto/packet_batch.h"

#include <array>
#include <span>

namespace trellis::crypto::batch {

/// The kernels must be ones that this processor can run.
const Kernels& kernels_of(PacketKernels kernels);

/// Seals or opens up to kTextsMax packets at a time.
///
/// The lanes are filled with block 0 of each packet (whose first half is its Poly1305 key), then
/// with the blocks of the texts, packet after packet. Groups of lanes with a block 0 in them are
/// called the head; there are never more than kTextsMax lanes in it.
///
///   lanes   0   1   2   3   4   5   6   7 | 8 ...
///          a.0 b.0 c.0 a.1 a.2 a.3 b.1 b.2|b.3 ...       three packets, eight lanes
class Chunk {
 public:
  explicit Chunk(const Kernels& kernels) : kernels_(kernels) {}
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;
  Chunk(Chunk&&) = delete;
  Chunk& operator=(Chunk&&) = delete;
  ~Chunk();  // wipes the key stream

  void seal(std::span<const SealPacket> packets);
  void open(std::span<OpenPacket> packets);

 private:
  /// A packet to open that is long enough to have a tag.
  struct Opening {
    OpenPacket* packet;
    MutableByteView text;
    std::size_t early;              // bytes of text, from its start, whose key stream ...
    const std::byte* early_stream;  // ... lies here already
  };

  std::byte* head_block(std::size_t lane) { return head_.data() + lane * kBlockSize; }
  std::byte* write_head(std::size_t lane, std::size_t blocks);
  /// Of so many of `texts_`.
  void tag(std::size_t count);

  /// Block 0 of a packet, in the next lane.
  void add_key_block(const PacketKey& key, std::uint64_t counter, std::size_t lane);
  /// The text from byte `from` on, which is a multiple of kBlockSize.
  void add_text(const PacketKey& key, std::uint64_t counter, ByteView text, std::byte* target,
                std::size_t from);
  void add(const Run& run);
  void flush();

  void add_key_blocks(std::span<Opening> openings);
  void authenticate(std::span<const Opening> openings);
  void decrypt(std::span<const Opening> openings);

  const Kernels& kernels_;
  std::size_t run_count_ = 0;
  std::size_t lanes_used_ = 0;
  std::size_t head_lanes_ = 0;  // so much of `head_` has been written
  std::array<Run, kLanesMax> runs_;
  std::array<Authentication, kTextsMax> texts_;
  alignas(64) std::array<std::byte, kTextsMax * kBlockSize> head_;
  alignas(64) std::array<std::byte, kLanesMax * kBlockSize> scratch_;
};

}  // namespace trellis::crypto::batch
