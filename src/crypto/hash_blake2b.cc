#include "crypto/hash_blake2b.h"

#include "base/result.h"
#include "crypto/openssl.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace trellis::crypto {
namespace {

using hash_kernels::Blake2bCompress;
using hash_kernels::Blake2bState;
using hash_kernels::kBlake2bBlock;
using openssl::uchar;

constexpr std::uint64_t kLast = ~std::uint64_t{0};

constexpr std::array<std::uint64_t, 8> kInitial = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

Digest digest_of(ByteView key, ByteView data) {
  const auto available = available_blake2b();
  if (!available.empty()) return blake2b_over(available.back(), key, data);
  Digest result;
  CHECK(crypto_generichash_blake2b(uchar(result.data()), result.size(), uchar(data.data()),
                                   data.size(), key.empty() ? nullptr : uchar(key.data()),
                                   key.size()) == 0);
  return result;
}

}  // namespace

#ifdef TRELLIS_X86_KERNELS

std::span<const Blake2bCompress> available_blake2b() {
  static constexpr std::array kAll = {&hash_kernels::blake2b_compress_avx2,
                                      &hash_kernels::blake2b_compress_avx512};
  // All that the files of kernels are compiled for.
  static const std::size_t kCount = [] {
    if (!__builtin_cpu_supports("avx2")) return std::size_t{0};
    const bool has_avx512 =
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
    return std::size_t{has_avx512 ? 2U : 1U};
  }();
  return std::span<const Blake2bCompress>(kAll).first(kCount);
}

#else

std::span<const Blake2bCompress> available_blake2b() { return {}; }

#endif

Digest blake2b_over(Blake2bCompress compress, ByteView key, ByteView data) {
  CHECK(key.empty() || key.size() == 32);
  Blake2bState state{};
  std::ranges::copy(kInitial, state.words);
  Digest result;
  state.words[0] ^= 0x01010000U ^ (key.size() << 8U) ^ result.size();

  std::uint64_t hashed = 0;
  alignas(64) Bytes<kBlake2bBlock> block{};
  if (!key.empty()) {
    std::ranges::copy(key, block.begin());
    hashed = kBlake2bBlock;
    compress(state, block.data(), 1, hashed, data.empty() ? kLast : 0);
  }
  if (key.empty() || !data.empty()) {
    const std::size_t whole = data.empty() ? 0 : (data.size() - 1) / kBlake2bBlock;
    compress(state, data.data(), whole, hashed + kBlake2bBlock, 0);
    const ByteView rest = data.subspan(whole * kBlake2bBlock);
    block.fill(std::byte{0});
    std::ranges::copy(rest, block.begin());
    compress(state, block.data(), 1, hashed + data.size(), kLast);
  }
  std::memcpy(result.data(), state.words, result.size());
  zeroise(block);
  zeroise(as_writable_bytes(std::span(state.words)));
  return result;
}

Digest blake2b_keyed(std::span<const std::byte, 32> key, ByteView data) {
  return digest_of(key, data);
}

Digest blake2b(ByteView data) { return digest_of({}, data); }

}  // namespace trellis::crypto
