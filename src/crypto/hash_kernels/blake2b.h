#pragma once

// Internal to crypto: the compression of BLAKE2b for those processors that have it in their vector
// instructions. As with the kernels of packets (batch/kernels.h), such a file must not use an
// inline function that other files use, too; hence pointers and sizes.

#include <cstddef>
#include <cstdint>

namespace trellis::crypto::hash_kernels {

constexpr std::size_t kBlake2bBlock = 128;

/// The eight words that are chained. [RFC 7693 3.1]
struct Blake2bState {
  std::uint64_t words[8];
};

/// Compresses `count` blocks. `hashed`: bytes with the first of them, which is why a last block
/// that is not full comes alone; each further one adds its size. `last`: all ones for the last
/// block of a text, else 0. [RFC 7693 3.2]
using Blake2bCompress = void (*)(Blake2bState& state, const std::byte* blocks, std::size_t count,
                                 std::uint64_t hashed, std::uint64_t last);

void blake2b_compress_avx2(Blake2bState& state, const std::byte* blocks, std::size_t count,
                           std::uint64_t hashed, std::uint64_t last);
void blake2b_compress_avx512(Blake2bState& state, const std::byte* blocks, std::size_t count,
                             std::uint64_t hashed, std::uint64_t last);

}  // namespace trellis::crypto::hash_kernels
