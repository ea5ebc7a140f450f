#pragma once

// ChaCha20 with a block in each lane of a vector: word i of all blocks in vector i. [RFC 8439 2.3]
//
// `Isa` gives: Vec (a vector of 32-bit words), rotate<N>(Vec), splat(word), iota(), Lanes
// (a choice of lanes), from(lane): that lane and all behind it, select(Lanes, a, b),
// write_blocks(Vec[16], target) and combine(target, source, stream, size): target = source ^
// stream.

#include "crypto/batch/unroll.h"
#include "crypto/batch/use_stream.h"

namespace trellis::crypto::batch {

template <class Isa>
struct ChaChaLanes {
  using Vec = typename Isa::Vec;
  using Lanes = typename Isa::Lanes;

  struct State {
    Vec word[16];
  };

  /// Two of the twelve operations of a quarter round.
  template <int A, int B, int D, int N>
  [[gnu::always_inline]] static void step(State& s) {
    s.word[A] += s.word[B];
    s.word[D] = Isa::template rotate<N>(s.word[D] ^ s.word[A]);
  }

  /// Half of two quarter rounds side by side: columns I and I + 1, where the rows b, c and d are
  /// shifted so far to the left.
  template <int I, int B, int C, int D, int N, int M>
  [[gnu::always_inline]] static void half_rounds(State& s) {
    step<I, 4 + (I + B) % 4, 12 + (I + D) % 4, N>(s);
    step<I + 1, 4 + (I + 1 + B) % 4, 12 + (I + 1 + D) % 4, N>(s);
    step<8 + (I + C) % 4, 12 + (I + D) % 4, 4 + (I + B) % 4, M>(s);
    step<8 + (I + 1 + C) % 4, 12 + (I + 1 + D) % 4, 4 + (I + 1 + B) % 4, M>(s);
  }

  /// Two at a time, so that the others may lie in memory where there are only 16 registers.
  template <int B, int C, int D>
  [[gnu::always_inline]] static void quarter_rounds(State& s) {
    half_rounds<0, B, C, D, 16, 12>(s);
    half_rounds<0, B, C, D, 8, 7>(s);
    half_rounds<2, B, C, D, 16, 12>(s);
    half_rounds<2, B, C, D, 8, 7>(s);
  }

  [[gnu::always_inline]] static void rounds(State& s) {
    for (int i = 0; i < 10; ++i) {
      quarter_rounds<0, 0, 0>(s);  // columns
      quarter_rounds<1, 2, 3>(s);  // diagonals
    }
  }

  [[gnu::always_inline]] static void set_key(State& s, const std::uint32_t* key, Lanes lanes) {
    unroll<8>(
        [&]<int I>() { s.word[4 + I] = Isa::select(lanes, Isa::splat(key[I]), s.word[4 + I]); });
  }

  [[gnu::always_inline]] static void set_nonce(State& s, const Run& run, std::uint32_t lane,
                                               Lanes lanes) {
    s.word[12] = Isa::select(lanes, Isa::iota() + Isa::splat(run.first - lane), s.word[12]);
    s.word[14] =
        Isa::select(lanes, Isa::splat(static_cast<std::uint32_t>(run.counter)), s.word[14]);
    s.word[15] =
        Isa::select(lanes, Isa::splat(static_cast<std::uint32_t>(run.counter >> 32)), s.word[15]);
  }

  /// The lanes behind the last run get blocks that nobody uses.
  [[gnu::always_inline]] static void set_up(State& s, const Run* runs, std::size_t count) {
    s.word[0] = Isa::splat(0x61707865);
    s.word[1] = Isa::splat(0x3320646e);
    s.word[2] = Isa::splat(0x79622d32);
    s.word[3] = Isa::splat(0x6b206574);
    unroll<8>([&]<int I>() { s.word[4 + I] = Isa::splat(runs[0].key[I]); });
    s.word[12] = Isa::iota() + Isa::splat(runs[0].first);
    s.word[13] = Isa::splat(0);
    s.word[14] = Isa::splat(static_cast<std::uint32_t>(runs[0].counter));
    s.word[15] = Isa::splat(static_cast<std::uint32_t>(runs[0].counter >> 32));
    std::uint32_t lane = runs[0].blocks;
    for (std::size_t i = 1; i < count; ++i) {
      const Lanes lanes = Isa::from(lane);
      if (runs[i].key != runs[i - 1].key) set_key(s, runs[i].key, lanes);
      set_nonce(s, runs[i], lane, lanes);
      lane += runs[i].blocks;
    }
  }

  static void crypt(const Run* runs, std::size_t count, std::byte* scratch) {
    State start;
    set_up(start, runs, count);
    State s = start;
    rounds(s);
    unroll<16>([&]<int I>() { s.word[I] += start.word[I]; });
    Isa::write_blocks(s.word, scratch);
    use_stream<Isa>(runs, count, scratch);
  }
};

}  // namespace trellis::crypto::batch
