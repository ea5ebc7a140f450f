#pragma once

#include "crypto/batch/poly1305_lanes.h"

namespace trellis::crypto::batch {

/// Puts texts of about the same length side by side, the longest first.
template <class Field>
void sort_by_size(Authentication* texts, std::size_t count, Authentication** sorted) {
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t place = i;
    for (; place > 0 && sorted[place - 1]->size < texts[i].size; --place) {
      sorted[place] = sorted[place - 1];
    }
    sorted[place] = &texts[i];
  }
}

/// Kernels::authenticate, of kTextsMax texts at most.
template <class Field>
void authenticate_lanes(Authentication* texts, std::size_t count) {
  using Lanes = PolyLanes<Field>;
  Authentication* sorted[kTextsMax];
  sort_by_size<Field>(texts, count, sorted);
  std::size_t done = 0;
  while (done < count) {
    const std::size_t rest = count - done;
    const std::size_t group = rest < Field::kLanes ? rest : Field::kLanes;
    if (group < Field::kTextsMin) {
      Lanes::one(*sorted[done]);
      ++done;
    } else {
      Lanes::many(sorted + done, group);
      done += group;
    }
  }
}

}  // namespace trellis::crypto::batch
