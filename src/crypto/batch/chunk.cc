#include "crypto/batch/chunk.h"

#include "base/result.h"

#include <algorithm>
#include <cstring>

namespace trellis::crypto::batch {

namespace {

std::uint32_t blocks_of(std::size_t size) {
  return static_cast<std::uint32_t>((size + kBlockSize - 1) / kBlockSize);
}

/// Whether the tags are equal, without telling where they differ.
bool fits(const std::byte* tag, const std::byte* computed) {
  std::array<std::uint64_t, 2> a;
  std::array<std::uint64_t, 2> b;
  static_assert(sizeof a == kTagSize);
  std::memcpy(a.data(), tag, kTagSize);
  std::memcpy(b.data(), computed, kTagSize);
  return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
}

}  // namespace

Chunk::~Chunk() {
  zeroise(std::span(head_).first(head_lanes_ * kBlockSize));
  zeroise(std::span(scratch_).first(kernels_.lanes * kBlockSize));
}

std::byte* Chunk::write_head(std::size_t lane, std::size_t blocks) {
  head_lanes_ = std::max(head_lanes_, lane + blocks);
  return head_block(lane);
}

void Chunk::flush() {
  if (run_count_ > 0) kernels_.crypt(runs_.data(), run_count_, scratch_.data());
  run_count_ = 0;
  lanes_used_ = 0;
}

inline void Chunk::add(const Run& run) {
  // Field by field: a copy of what has just been put together would wait for all of it.
  Run& next = runs_[run_count_++];
  next.key = run.key;
  next.counter = run.counter;
  next.first = run.first;
  next.blocks = run.blocks;
  next.source = run.source;
  next.target = run.target;
  next.size = run.size;
  lanes_used_ += run.blocks;
  if (lanes_used_ == kernels_.lanes) flush();
}

void Chunk::add_key_block(const PacketKey& key, std::uint64_t counter, std::size_t lane) {
  add({.key = key.expose().data(),
       .counter = counter,
       .first = 0,
       .blocks = 1,
       .source = nullptr,
       .target = write_head(lane, 1),
       .size = 0});
}

void Chunk::add_text(const PacketKey& key, std::uint64_t counter, ByteView text, std::byte* target,
                     std::size_t from) {
  while (from < text.size()) {
    const std::size_t size =
        std::min(text.size() - from, (kernels_.lanes - lanes_used_) * kBlockSize);
    add({.key = key.expose().data(),
         .counter = counter,
         .first = 1 + static_cast<std::uint32_t>(from / kBlockSize),
         .blocks = blocks_of(size),
         .source = text.data() + from,
         .target = target + from,
         .size = size});
    from += size;
  }
}

void Chunk::tag(std::size_t count) {
  const bool scalar = count == 1 && texts_[0].size <= kernels_.scalar_max;
  (scalar ? portable::authenticate : kernels_.authenticate)(texts_.data(), count);
}

void Chunk::seal(std::span<const SealPacket> packets) {
  std::size_t lane = 0;
  for (const SealPacket& packet : packets) add_key_block(*packet.key, packet.counter, lane++);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const SealPacket& packet = packets[i];
    CHECK(packet.text.size() <= kPacketTextMax);
    texts_[i].key = head_block(i);
    texts_[i].text = packet.target;
    texts_[i].size = packet.text.size();
    add_text(*packet.key, packet.counter, packet.text, packet.target, 0);
  }
  flush();
  tag(packets.size());
  for (std::size_t i = 0; i < packets.size(); ++i) {
    std::memcpy(packets[i].target + packets[i].text.size(), texts_[i].tag, kTagSize);
  }
}

void Chunk::open(std::span<OpenPacket> packets) {
  std::array<Opening, kTextsMax> openings;
  std::size_t count = 0;
  for (OpenPacket& packet : packets) {
    packet.opened = false;
    if (packet.sealed.size() < kTagSize) continue;
    const MutableByteView text = packet.sealed.first(packet.sealed.size() - kTagSize);
    CHECK(text.size() <= kPacketTextMax);
    openings[count++] = {&packet, text, 0, nullptr};
  }
  const std::span<Opening> all(openings.data(), count);
  add_key_blocks(all);
  authenticate(all);
  decrypt(all);
}

void Chunk::add_key_blocks(std::span<Opening> openings) {
  std::size_t lane = 0;
  for (const Opening& opening : openings) {
    add_key_block(*opening.packet->key, opening.packet->counter, lane++);
  }
  if (lanes_used_ == 0) return;
  for (Opening& opening : openings) {
    const std::size_t room = kernels_.lanes - lanes_used_;
    const std::uint32_t blocks =
        std::min(blocks_of(opening.text.size()), static_cast<std::uint32_t>(room));
    if (blocks == 0) continue;
    opening.early = std::min(opening.text.size(), blocks * kBlockSize);
    std::byte* const stream = write_head(lane, blocks);
    opening.early_stream = stream;
    add({.key = opening.packet->key->expose().data(),
         .counter = opening.packet->counter,
         .first = 1,
         .blocks = blocks,
         .source = nullptr,
         .target = stream,
         .size = 0});
    lane += blocks;
    if (lanes_used_ == 0) return;
  }
  flush();
}

void Chunk::authenticate(std::span<const Opening> openings) {
  for (std::size_t i = 0; i < openings.size(); ++i) {
    texts_[i].key = head_block(i);
    texts_[i].text = openings[i].text.data();
    texts_[i].size = openings[i].text.size();
  }
  tag(openings.size());
  for (std::size_t i = 0; i < openings.size(); ++i) {
    const MutableByteView text = openings[i].text;
    openings[i].packet->opened = fits(text.data() + text.size(), texts_[i].tag);
  }
}

void Chunk::decrypt(std::span<const Opening> openings) {
  for (const Opening& opening : openings) {
    if (!opening.packet->opened) continue;
    std::byte* const text = opening.text.data();
    if (opening.early > 0) kernels_.combine(text, text, opening.early_stream, opening.early);
    add_text(*opening.packet->key, opening.packet->counter, opening.text, text, opening.early);
  }
  flush();
}

}  // namespace trellis::crypto::batch
