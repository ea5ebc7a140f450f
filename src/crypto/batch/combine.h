#pragma once

// Internal to the kernels: target = source ^ stream for any number of bytes, where `target` is
// `source` or apart from it.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace trellis::crypto::batch {

/// `Wide` is a type that memory is combined in, some power of two of bytes long.
template <class Wide>
struct Combine {
  [[gnu::always_inline]] static Wide at(const std::byte* source, const std::byte* stream) {
    Wide a;
    Wide b;
    std::memcpy(&a, source, sizeof a);
    std::memcpy(&b, stream, sizeof b);
    return a ^ b;
  }
};

/// At least sizeof(Wide) bytes. The last ones may overlap with those before: they are combined
/// first, as long as `source` is what it was.
template <class Wide>
[[gnu::always_inline]] inline void combine_long(std::byte* target, const std::byte* source,
                                                const std::byte* stream, std::size_t size) {
  const std::size_t last = size - sizeof(Wide);
  const Wide tail = Combine<Wide>::at(source + last, stream + last);
  for (std::size_t i = 0; i < last; i += sizeof(Wide)) {
    const Wide value = Combine<Wide>::at(source + i, stream + i);
    std::memcpy(target + i, &value, sizeof value);
  }
  std::memcpy(target + last, &tail, sizeof tail);
}

/// `Tag` is a type of the file that uses it, so that each has its own copy.
template <class Tag>
inline void combine_short(std::byte* target, const std::byte* source, const std::byte* stream,
                          std::size_t size) {
  if (size >= sizeof(std::uint64_t)) {
    combine_long<std::uint64_t>(target, source, stream, size);
    return;
  }
  for (std::size_t i = 0; i < size; ++i) {
    target[i] =
        static_cast<std::byte>(static_cast<unsigned>(source[i]) ^ static_cast<unsigned>(stream[i]));
  }
}

}  // namespace trellis::crypto::batch
