#pragma once

// Internal to crypto. What a set of kernels offers to the code that arranges the packets of a batch
// for it: ChaCha20 over blocks side by side, Poly1305 over texts side by side.
//
// A file of kernels is compiled for more instructions than the rest. So it must not use an inline
// function that other files use, too (of std::span, std::min ...): the linker keeps one of the
// copies, and it may be the one that other processors cannot run. Hence pointers and sizes here,
// and templates over types that each file has for itself.

#include <cstddef>
#include <cstdint>

namespace trellis::crypto::batch {

constexpr std::size_t kBlockSize = 64;  // of ChaCha20
constexpr std::size_t kLanesMax = 16;   // blocks side by side
constexpr std::size_t kTextsMax = 16;   // texts to authenticate at once

/// Consecutive blocks of one packet.
struct Run {
  const std::uint32_t* key;  // 8 words
  std::uint64_t counter;     // of the packet: its nonce
  std::uint32_t first;       // number of the first block
  std::uint32_t blocks;
  const std::byte* source;  // text; null: the key stream itself is wanted
  std::byte* target;        // `source` or apart from it
  std::size_t size;         // bytes of text, of which the last block may lack some
};

/// A text to authenticate.
struct Authentication {
  const std::byte* key;  // kBlockSize readable bytes, aligned to 64; r and s are the first 32
  const std::byte* text;
  std::size_t size;
  std::byte tag[16];  // the result
};

struct Kernels {
  std::size_t lanes;  // blocks that `crypt` makes at once
  void (*crypt)(const Run* runs, std::size_t count, std::byte* scratch);
  void (*authenticate)(Authentication* texts, std::size_t count);
  void (*combine)(std::byte* target, const std::byte* source, const std::byte* stream,
                  std::size_t size);
  // A text by itself of up to so many bytes is sooner authenticated by portable::authenticate, in
  // scalars: powers of r for all lanes do not pay.
  std::size_t scalar_max;
};

// crypt: encrypts or decrypts runs of kLanes blocks at most together. `scratch` has kLanes *
// kBlockSize bytes, is aligned to 64 and holds parts of the key stream afterwards.
// authenticate: computes the tags of kTextsMax texts at most, as the AEAD with empty additional
// data has them. [RFC 8439 2.8] combine: target = source ^ stream, where `target` is `source` or
// apart from it.

namespace portable {
constexpr std::size_t kLanes = 4;
void crypt(const Run* runs, std::size_t count, std::byte* scratch);
void authenticate(Authentication* texts, std::size_t count);
void combine(std::byte* target, const std::byte* source, const std::byte* stream, std::size_t size);
}  // namespace portable

namespace neon {
constexpr std::size_t kLanes = 8;
void crypt(const Run* runs, std::size_t count, std::byte* scratch);
void authenticate(Authentication* texts, std::size_t count);
void combine(std::byte* target, const std::byte* source, const std::byte* stream, std::size_t size);
}  // namespace neon

namespace avx2 {
constexpr std::size_t kLanes = 8;
void crypt(const Run* runs, std::size_t count, std::byte* scratch);
void authenticate(Authentication* texts, std::size_t count);
void combine(std::byte* target, const std::byte* source, const std::byte* stream, std::size_t size);
}  // namespace avx2

namespace avx512 {
constexpr std::size_t kLanes = 16;
void crypt(const Run* runs, std::size_t count, std::byte* scratch);
void combine(std::byte* target, const std::byte* source, const std::byte* stream, std::size_t size);
}  // namespace avx512

namespace avx512_ifma {
void authenticate(Authentication* texts, std::size_t count);
}  // namespace avx512_ifma

}  // namespace trellis::crypto::batch
