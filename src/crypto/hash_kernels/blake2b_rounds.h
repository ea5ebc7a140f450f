#pragma once

// The rounds of BLAKE2b over rows of four words. Each file of kernels has them for itself, for they
// are templates over types of its own.
//
//   row a   v0  v1  v2  v3        A round mixes the columns, then the diagonals. For the latter
//   row b   v4  v5  v6  v7        rows are turned against each other until diagonals are columns:
//   row c   v8  v9  v10 v11       not b as usual, which is the last one to be ready and the first
//   row d   v12 v13 v14 v15       to be needed, but a, c and d, so that nothing waits for a turn.
//
// What a row adds of the message is added before b comes, for the same reason.

#include "crypto/hash_kernels/blake2b.h"

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace trellis::crypto::hash_kernels {

// Tables are members of the file's own types: constants of a header would be shared, too.
template <class Tag>
struct Blake2bTables {
  static constexpr std::uint64_t kInitial[8] = {
      0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
      0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
  /// SIGMA. [RFC 7693 2.7]
  static constexpr std::uint8_t kSchedule[10][16] = {
      {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
      {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
      {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
      {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
      {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
      {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
      {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
      {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
      {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
      {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

  /// The word of the message for the first (`Half` 0) or the second addition in column `lane`, in
  /// the columns (`Step` 0) or the diagonals. With b at rest the diagonal that begins at v0 goes
  /// through v5, so it is in lane 1.
  template <int Round, int Step, int Half>
  static constexpr int word(int lane) {
    const int mixing = Step == 0 ? lane : 4 + (lane + 3) % 4;
    return kSchedule[Round % 10][2 * mixing + Half];
  }
};

/// `Rows` combines a row that is there early with one that comes late, and rotates the result to
/// the right: `xor_rotate<Bits>`.
template <class Rows>
struct Blake2b {
  using Tables = Blake2bTables<Rows>;

  struct Block {
    __m256i a, b, c, d;
  };

  /// The words of a message, gathered as they are needed: they are all in the nearest cache.
  struct Message {
    [[gnu::always_inline]] explicit Message(const std::byte* block) : words(block) {}

    [[gnu::always_inline]] __m128i pair(int first, int second) const {
      const auto* low = reinterpret_cast<const double*>(words) + first;
      const auto* high = reinterpret_cast<const double*>(words) + second;
      return _mm_castpd_si128(_mm_loadh_pd(_mm_load_sd(low), high));
    }

    template <int Round, int Step, int Half>
    [[gnu::always_inline]] __m256i add(__m256i row) const {
      constexpr int k0 = Tables::template word<Round, Step, Half>(0);
      constexpr int k1 = Tables::template word<Round, Step, Half>(1);
      constexpr int k2 = Tables::template word<Round, Step, Half>(2);
      constexpr int k3 = Tables::template word<Round, Step, Half>(3);
      return _mm256_add_epi64(row, _mm256_set_m128i(pair(k2, k3), pair(k0, k1)));
    }

    const std::byte* words;
  };

  /// Keeps the compiler from adding in another order, in which more would wait for b.
  [[gnu::always_inline]] static __m256i at_once(__m256i row) {
    __asm__("" : "+v"(row));
    return row;
  }

  template <int Round, int Step>
  [[gnu::always_inline]] static void mix(Block& v, const Message& message) {
    v.a = _mm256_add_epi64(at_once(message.template add<Round, Step, 0>(v.a)), v.b);
    v.d = Rows::template xor_rotate<32>(v.d, v.a);
    v.c = _mm256_add_epi64(v.c, v.d);
    v.b = Rows::template xor_rotate<24>(v.b, v.c);
    v.a = _mm256_add_epi64(at_once(message.template add<Round, Step, 1>(v.a)), v.b);
    v.d = Rows::template xor_rotate<16>(v.d, v.a);
    v.c = _mm256_add_epi64(v.c, v.d);
    v.b = Rows::template xor_rotate<63>(v.b, v.c);
  }

  template <int Round>
  [[gnu::always_inline]] static void round(Block& v, const Message& message) {
    mix<Round, 0>(v, message);
    v.a = _mm256_permute4x64_epi64(v.a, _MM_SHUFFLE(2, 1, 0, 3));
    v.d = _mm256_permute4x64_epi64(v.d, _MM_SHUFFLE(1, 0, 3, 2));
    v.c = _mm256_permute4x64_epi64(v.c, _MM_SHUFFLE(0, 3, 2, 1));
    mix<Round, 1>(v, message);
    v.a = _mm256_permute4x64_epi64(v.a, _MM_SHUFFLE(0, 3, 2, 1));
    v.d = _mm256_permute4x64_epi64(v.d, _MM_SHUFFLE(1, 0, 3, 2));
    v.c = _mm256_permute4x64_epi64(v.c, _MM_SHUFFLE(2, 1, 0, 3));
  }

  [[gnu::always_inline]] static void compress(Blake2bState& state, const std::byte* blocks,
                                              std::size_t count, std::uint64_t hashed,
                                              std::uint64_t last) {
    const __m256i* initial = reinterpret_cast<const __m256i*>(Tables::kInitial);
    __m256i* words = reinterpret_cast<__m256i*>(state.words);
    __m256i low = _mm256_loadu_si256(words);
    __m256i high = _mm256_loadu_si256(words + 1);
    for (; count > 0; --count, blocks += kBlake2bBlock, hashed += kBlake2bBlock) {
      const Message message(blocks);
      const __m256i position =
          _mm256_set_epi64x(0, static_cast<long long>(last), 0, static_cast<long long>(hashed));
      Block v{low, high, _mm256_loadu_si256(initial),
              _mm256_xor_si256(_mm256_loadu_si256(initial + 1), position)};
      round<0>(v, message);
      round<1>(v, message);
      round<2>(v, message);
      round<3>(v, message);
      round<4>(v, message);
      round<5>(v, message);
      round<6>(v, message);
      round<7>(v, message);
      round<8>(v, message);
      round<9>(v, message);
      round<10>(v, message);
      round<11>(v, message);
      low = _mm256_xor_si256(low, _mm256_xor_si256(v.a, v.c));
      high = _mm256_xor_si256(high, _mm256_xor_si256(v.b, v.d));
    }
    _mm256_storeu_si256(words, low);
    _mm256_storeu_si256(words + 1, high);
  }
};

}  // namespace trellis::crypto::hash_kernels
