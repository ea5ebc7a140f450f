#pragma once

// Internal to the kernels: what becomes of the key stream of some runs.

#include "crypto/batch/kernels.h"

#include <cstring>

namespace trellis::crypto::batch {

/// Of all runs. `Isa` only gives each file its own copy.
template <class Isa>
[[gnu::always_inline]] inline std::size_t count_blocks(const Run* runs, std::size_t count) {
  std::size_t blocks = 0;
  for (std::size_t i = 0; i < count; ++i) blocks += runs[i].blocks;
  return blocks;
}

/// `stream` has their blocks one after the other. `Isa` gives combine, as in Kernels.
template <class Isa>
[[gnu::always_inline]] inline void use_stream(const Run* runs, std::size_t count,
                                              const std::byte* stream) {
  for (std::size_t i = 0; i < count; ++i) {
    const Run& run = runs[i];
    if (run.source) {
      Isa::combine(run.target, run.source, stream, run.size);
    } else {
      std::memcpy(run.target, stream, run.blocks * kBlockSize);
    }
    stream += run.blocks * kBlockSize;
  }
}

}  // namespace trellis::crypto::batch
