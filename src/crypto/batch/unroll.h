#pragma once

// Loops over vectors that lie in registers: an index that is no constant would put them into
// memory.

#include <utility>

namespace trellis::crypto::batch {

template <class Body, int... I>
[[gnu::always_inline]] inline void unroll_over(Body&& body, std::integer_sequence<int, I...>) {
  (body.template operator()<I>(), ...);
}

/// Calls body<0>(), body<1>(), ... body<N - 1>().
template <int N, class Body>
[[gnu::always_inline]] inline void unroll(Body&& body) {
  unroll_over(body, std::make_integer_sequence<int, N>());
}

}  // namespace trellis::crypto::batch
