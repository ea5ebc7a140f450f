#pragma once

// ChaCha20 for a few blocks: two of them in each vector, row beside row. A round of it is as long
// as one of ChaChaLanes, but there is much less to do, and nothing to transpose. [RFC 8439 2.3]
//
// `Isa` gives: Vec (eight 32-bit words of AVX2), rotate<N>(Vec), kLanes and combine, as for
// ChaChaLanes.

#include "crypto/batch/unroll.h"
#include "crypto/batch/use_stream.h"

#include <immintrin.h>

namespace trellis::crypto::batch {

/// Of up to 2 * kPairs blocks.
template <class Isa, std::size_t kPairs>
struct ChaChaRows {
  using Vec = typename Isa::Vec;
  static constexpr std::size_t kBlocks = 2 * kPairs;
  static constexpr int kSteps = static_cast<int>(kPairs);

  /// Vector i has a row of block 2i in its lower half, of block 2i + 1 in its upper.
  struct Rows {
    Vec at[kPairs];
  };
  struct State {
    Rows a, b, c, d;
  };

  [[gnu::always_inline]] static Vec vec(__m256i raw) { return reinterpret_cast<Vec>(raw); }
  [[gnu::always_inline]] static __m256i raw(Vec v) { return reinterpret_cast<__m256i>(v); }

  template <int N>
  [[gnu::always_inline]] static void mix(Rows& x, const Rows& y, Rows& z) {
    unroll<kSteps>([&]<int I>() {
      x.at[I] += y.at[I];
      z.at[I] = Isa::template rotate<N>(z.at[I] ^ x.at[I]);
    });
  }
  /// Each row by so many words to the left.
  template <int N>
  [[gnu::always_inline]] static void turn(Rows& x) {
    constexpr int kOrder = N == 1 ? 0x39 : (N == 2 ? 0x4e : 0x93);
    unroll<kSteps>([&]<int I>() { x.at[I] = vec(_mm256_shuffle_epi32(raw(x.at[I]), kOrder)); });
  }
  [[gnu::always_inline]] static void quarter_rounds(State& s) {
    mix<16>(s.a, s.b, s.d);
    mix<12>(s.c, s.d, s.b);
    mix<8>(s.a, s.b, s.d);
    mix<7>(s.c, s.d, s.b);
  }
  [[gnu::always_inline]] static void rounds(State& s) {
    for (int i = 0; i < 10; ++i) {
      quarter_rounds(s);  // columns
      turn<1>(s.b);
      turn<2>(s.c);
      turn<3>(s.d);
      quarter_rounds(s);  // diagonals
      turn<3>(s.b);
      turn<2>(s.c);
      turn<1>(s.d);
    }
  }

  [[gnu::always_inline]] static Vec join(__m128i lower, __m128i upper) {
    return vec(_mm256_inserti128_si256(_mm256_castsi128_si256(lower), upper, 1));
  }
  [[gnu::always_inline]] static __m128i quad(const std::uint32_t* words) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(words));
  }

  /// A block of some run.
  struct Block {
    const std::uint32_t* key;
    std::uint64_t counter;
    std::uint32_t number;

    [[gnu::always_inline]] __m128i nonce() const {
      return _mm_set_epi64x(static_cast<long long>(counter), number);
    }
  };

  /// The last block again where there are no more.
  [[gnu::always_inline]] static void list(const Run* runs, std::size_t count, Block* blocks) {
    std::size_t run = 0;
    std::uint32_t block = 0;
    unroll<2 * kSteps>([&]<int I>() {
      blocks[I] = {runs[run].key, runs[run].counter, runs[run].first + block};
      if (block + 1 < runs[run].blocks) {
        ++block;
      } else if (run + 1 < count) {
        ++run;
        block = 0;
      }
    });
  }

  [[gnu::always_inline]] static void set_up(State& s, const Block* blocks) {
    unroll<kSteps>([&]<int I>() {
      const Block& lower = blocks[std::size_t{2} * I];
      const Block& upper = blocks[std::size_t{2} * I + 1];
      s.a.at[I] = vec(_mm256_setr_epi32(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, 0x61707865,
                                        0x3320646e, 0x79622d32, 0x6b206574));
      s.b.at[I] = join(quad(lower.key), quad(upper.key));
      s.c.at[I] = join(quad(lower.key + 4), quad(upper.key + 4));
      s.d.at[I] = join(lower.nonce(), upper.nonce());
    });
  }

  [[gnu::always_inline]] static void put(std::byte* to, __m256i value) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), value);
  }
  [[gnu::always_inline]] static void write_blocks(const State& s, std::byte* target) {
    unroll<kSteps>([&]<int I>() {
      std::byte* const block = target + std::ptrdiff_t{128} * I;
      put(block, _mm256_permute2x128_si256(raw(s.a.at[I]), raw(s.b.at[I]), 0x20));
      put(block + 32, _mm256_permute2x128_si256(raw(s.c.at[I]), raw(s.d.at[I]), 0x20));
      put(block + 64, _mm256_permute2x128_si256(raw(s.a.at[I]), raw(s.b.at[I]), 0x31));
      put(block + 96, _mm256_permute2x128_si256(raw(s.c.at[I]), raw(s.d.at[I]), 0x31));
    });
  }

  /// Kernels::crypt, of kBlocks blocks at most.
  static void crypt(const Run* runs, std::size_t count, std::byte* scratch) {
    Block blocks[kBlocks];
    list(runs, count, blocks);
    State start;
    set_up(start, blocks);
    State s = start;
    rounds(s);
    unroll<kSteps>([&]<int I>() {
      s.a.at[I] += start.a.at[I];
      s.b.at[I] += start.b.at[I];
      s.c.at[I] += start.c.at[I];
      s.d.at[I] += start.d.at[I];
    });
    write_blocks(s, scratch);
    use_stream<Isa>(runs, count, scratch);
  }
};

}  // namespace trellis::crypto::batch
