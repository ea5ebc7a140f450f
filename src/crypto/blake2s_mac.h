#pragma once

#include "base/bytes.h"

#include <array>
#include <cstdint>
#include <span>

namespace trellis::crypto {

/// The 16-byte keyed BLAKE2s of many messages under one key: what `blake2s_mac` computes, but the
/// key is worked in once, and nothing is allocated. For what strangers can make us compute as often
/// as they like. [RFC 7693]
class Blake2sMac {
 public:
  /// Of 1 to 32 bytes.
  explicit Blake2sMac(ByteView key);
  Blake2sMac(const Blake2sMac&) = default;
  Blake2sMac& operator=(const Blake2sMac&) = default;
  Blake2sMac(Blake2sMac&&) noexcept = default;
  Blake2sMac& operator=(Blake2sMac&&) noexcept = default;
  ~Blake2sMac() { zeroise(std::as_writable_bytes(std::span(state_))); }

  /// `message` is not empty.
  Bytes<16> operator()(ByteView message) const;

 private:
  std::array<std::uint32_t, 8> state_{};  // behind the block that holds the key
};

}  // namespace trellis::crypto
